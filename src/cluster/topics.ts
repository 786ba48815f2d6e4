import type { TopicSpec } from '../kafka/admin.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { topicNames, topicSpecs, UNCOMPRESSED } from '../records/topics.ts';

export interface ClusterTopics {
  readonly crops: string;
  readonly inferState: string;
  readonly cameraConfig: string;
}

export function clusterTopics(prefix: string): ClusterTopics {
  return {
    crops: topicNames(prefix).FaceCropBatch,
    inferState: `${prefix}infer-state`,
    cameraConfig: `${prefix}camera-config`,
  };
}

/** The topics that the owner of a partition of the crops reads and writes. */
export function inferTopics(prefix: string) {
  const { AuFrame: frames, AuActivation: activations, DeadLetter: deadletter } = topicNames(prefix);
  const { crops, inferState: state } = clusterTopics(prefix);
  return { frames, activations, deadletter, crops, state };
}

/** Every topic of a cluster. */
export function clusterTopicSpecs(kafka: KafkaOptions): TopicSpec[] {
  const specs: TopicSpec[] = topicSpecs(kafka, { crops: true });
  const names = clusterTopics(kafka.topicPrefix);
  const { partitions, replication, config } = specs.find(({ name }) => name === names.crops)!;
  const minInsync = config['min.insync.replicas'];
  const compacted = {
    'cleanup.policy': 'compact',
    'compression.type': UNCOMPRESSED,
    ...(minInsync === undefined ? {} : { 'min.insync.replicas': minInsync }),
  };
  return [
    ...specs,
    {
      name: names.inferState,
      // The state of a partition of the crops is in the partition of the same number.
      partitions,
      replication,
      // Small segments are compacted soon: a new owner reads its whole partition before it starts.
      config: {
        ...compacted,
        'segment.bytes': String(8 * 1024 * 1024),
        'min.cleanable.dirty.ratio': '0.1',
        'delete.retention.ms': '600000',
      },
    },
    { name: names.cameraConfig, partitions, replication, config: compacted },
  ];
}
