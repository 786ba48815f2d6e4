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

/** All topics of a config. `crops`: include the crops topic, which only cluster mode uses. */
export function topicSpecs(kafka: KafkaOptions, { crops } = { crops: false }): TopicSpec[] {
  const { topics } = kafka;
  const names = topicNames(kafka.topicPrefix);
  const retention =
    topics.retentionHours === null ? '-1' : String(Math.round(topics.retentionHours * 3_600_000));
  const minInsync: Record<string, string> =
    topics.minInsyncReplicas === null ? {} : { 'min.insync.replicas': String(topics.minInsyncReplicas) };
  const retained = { 'cleanup.policy': 'delete', 'retention.ms': retention, ...minInsync };
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
    spec('CameraStatus', { 'cleanup.policy': 'compact', ...minInsync }),
    spec('DeadLetter', retained, 1),
    ...(crops
      ? [
          spec('FaceCropBatch', {
            'cleanup.policy': 'delete',
            'retention.ms': String(Math.round(topics.cropsRetentionMinutes * 60_000)),
            // Kafka deletes whole segments only. Shorter segments keep pictures for little longer than the retention.
            'segment.ms': String(Math.round(topics.cropsRetentionMinutes * 15_000)),
            ...minInsync,
          }),
        ]
      : []),
  ];
}
