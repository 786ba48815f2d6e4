import type { TopicSpec } from '../kafka/admin.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import type { RecordName } from './avro.ts';

/** The topic of each record type. */
export function topicNames(prefix: string): Readonly<Record<RecordName, string>> {
  return {
    AuFrame: `${prefix}frames`,
    AuActivation: `${prefix}activations`,
    CameraStatus: `${prefix}cameras`,
    FaceCropBatch: `${prefix}crops`,
    DeadLetter: `${prefix}deadletter`,
  };
}

/**
 * `compression.type` of topics that workers read: 1 MB of gzip or lz4 can expand to 250 MB or 1 GB in whoever reads it. The
 * brokers expand every batch when it is written, and reject one that then exceeds `max.message.bytes` (1 MB).
 */
export const UNCOMPRESSED = 'uncompressed';

/** All topics of a config. `crops`: include the crops topic, which only cluster mode uses. */
export function topicSpecs(kafka: KafkaOptions, { crops } = { crops: false }): TopicSpec[] {
  const { topics } = kafka;
  const names = topicNames(kafka.topicPrefix);
  const retention =
    topics.retentionHours === null ? '-1' : String(Math.round(topics.retentionHours * 3_600_000));
  const minInsync: Record<string, string> =
    topics.minInsyncReplicas === null ? {} : { 'min.insync.replicas': String(topics.minInsyncReplicas) };
  // A batch of another codec would stop consumers that lack it, such as kafkajs: the brokers convert it.
  const stored = {
    'compression.type': kafka.compression === 'none' ? UNCOMPRESSED : kafka.compression,
    ...minInsync,
  };
  const retained = { 'cleanup.policy': 'delete', 'retention.ms': retention, ...stored };
  const spec = (
    record: RecordName,
    config: Record<string, string>,
    partitions = topics.partitions,
  ): TopicSpec => ({
    name: names[record],
    partitions,
    replication: topics.replication ?? -1,
    config,
  });
  return [
    spec('AuFrame', retained),
    spec('AuActivation', retained),
    spec('CameraStatus', { 'cleanup.policy': 'compact', ...stored }),
    spec('DeadLetter', retained, 1),
    ...(crops
      ? [
          spec('FaceCropBatch', {
            'cleanup.policy': 'delete',
            'retention.ms': String(Math.round(topics.cropsRetentionMinutes * 60_000)),
            // Kafka deletes whole segments only. Shorter segments keep pictures for little longer than the retention.
            'segment.ms': String(Math.round(topics.cropsRetentionMinutes * 15_000)),
            'compression.type': UNCOMPRESSED,
            ...minInsync,
          }),
        ]
      : []),
  ];
}
