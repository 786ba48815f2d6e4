import type { TopicSpec } from '../kafka/admin.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import type { RecordName } from './avro.ts';

/** The name of each record's topic under a prefix. */
export function topicNames(prefix: string): Readonly<Record<RecordName, string>> {
  return {
    AuFrame: `${prefix}frames`,
    AuActivation: `${prefix}activations`,
    CameraStatus: `${prefix}cameras`,
    FaceCropBatch: `${prefix}crops`,
    DeadLetter: `${prefix}deadletter`,
  };
}

/** Every topic of a config. `crops` is for cluster mode only: pictures of faces go nowhere else. */
export function topicSpecs(kafka: KafkaOptions, use: { crops: boolean } = { crops: false }): TopicSpec[] {
  const { topics } = kafka;
  const names = topicNames(kafka.topicPrefix);
  const retention =
    topics.retentionHours === null ? '-1' : String(Math.round(topics.retentionHours * 3_600_000));
  const durable: Record<string, string> =
    topics.minInsyncReplicas === null ? {} : { 'min.insync.replicas': String(topics.minInsyncReplicas) };
  const kept = { 'cleanup.policy': 'delete', 'retention.ms': retention, ...durable };
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
    spec('AuFrame', kept),
    spec('AuActivation', kept),
    spec('CameraStatus', { 'cleanup.policy': 'compact', ...durable }),
    spec('DeadLetter', kept, 1),
    ...(use.crops
      ? [
          spec('FaceCropBatch', {
            'cleanup.policy': 'delete',
            'retention.ms': String(Math.round(topics.cropsRetentionMinutes * 60_000)),
            // Old pictures go only with their whole segment: roll it more often, so that they are not kept twice as long.
            'segment.ms': String(Math.round(topics.cropsRetentionMinutes * 15_000)),
            ...durable,
          }),
        ]
      : []),
  ];
}
