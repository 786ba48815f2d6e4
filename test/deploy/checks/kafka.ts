import { isDeepStrictEqual } from 'node:util';
import { clusterTopicSpecs } from '../../../src/cluster/topics.ts';
import { kafkaOptions } from '../../../src/kafka/options.ts';
import type { Manifest } from '../render.ts';
import { configOf } from './config.ts';
import { type Check, named, ofKind, workloads } from './index.ts';

const CLUSTER = 'strimzi.io/cluster';

/** Only the administration of cameras writes here: the topic decides which secrets workers send, and where. */
const CAMERA_WRITER = 'austream-cameras';
const WRITING = ['Write', 'Create', 'Delete', 'Alter', 'AlterConfigs', 'All'];

/** Strimzi's resources belong to its Kafka; topics and rights match those that austream uses. */
export const kafka: Check = (objects, report) => {
  const [cluster] = ofKind(objects, 'Kafka');
  if (!cluster) return;
  for (const kind of ['KafkaNodePool', 'KafkaTopic', 'KafkaUser'])
    for (const object of ofKind(objects, kind))
      if (object.metadata.labels?.[CLUSTER] !== cluster.metadata.name)
        report(object, 'belongs to no Kafka in these manifests');
  const bootstrap = cluster.spec.kafka.listeners
    .filter(({ type }: Manifest) => type === 'internal')
    .map(({ port }: Manifest) => `${cluster.metadata.name}-kafka-bootstrap:${port}`);
  const crops = named(objects, 'KafkaTopic', 'au.crops')?.spec;
  const brokers = kafkaOptions.parse({
    brokers: bootstrap,
    topics: {
      partitions: crops?.partitions,
      replication: cluster.spec.kafka.config['default.replication.factor'],
      minInsyncReplicas: cluster.spec.kafka.config['min.insync.replicas'],
    },
  });
  const specs = clusterTopicSpecs(brokers);
  for (const { name, partitions, replication, config } of specs) {
    const topic = named(objects, 'KafkaTopic', name);
    const expected = { partitions, replicas: replication, config };
    const actual = topic && { ...topic.spec, config: stringValues(topic.spec.config) };
    if (!topic) report(cluster, `lacks the topic ${name}`);
    else if (!isDeepStrictEqual(actual, expected)) report(topic, `is not ${JSON.stringify(expected)}`);
  }
  const names = specs.map(({ name }) => name);
  for (const user of ofKind(objects, 'KafkaUser'))
    for (const { resource } of user.spec.authorization.acls)
      if (resource.type === 'topic' && resource.patternType !== 'prefix' && !names.includes(resource.name))
        report(user, `has rights on ${resource.name}, which austream does not use`);
  for (const user of ofKind(objects, 'KafkaUser'))
    for (const { resource, operations } of user.spec.authorization.acls)
      if (
        user.metadata.name !== CAMERA_WRITER &&
        coversTopic(resource, 'au.camera-config') &&
        operations.some((operation: string) => WRITING.includes(operation))
      )
        report(user, 'may write to au.camera-config');
  for (const workload of workloads(objects)) {
    const { brokers: configured = [] } = configOf(objects, workload)?.kafka ?? {};
    if (!configured.every((broker) => bootstrap.includes(broker)))
      report(workload, `uses brokers ${configured} instead of ${bootstrap}`);
  }
};

function coversTopic({ type, name = '', patternType }: Manifest, topic: string): boolean {
  return (
    type === 'topic' && (patternType === 'prefix' ? topic.startsWith(name) : name === topic || name === '*')
  );
}

function stringValues(config: Manifest): Record<string, string> {
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, String(value)]));
}
