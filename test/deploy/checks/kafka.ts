import { isDeepStrictEqual } from 'node:util';
import { clusterTopicSpecs } from '../../../src/cluster/topics.ts';
import { kafkaOptions } from '../../../src/kafka/options.ts';
import type { Manifest } from '../render.ts';
import { configOf } from './config.ts';
import { type Check, named, ofKind, workloads } from './index.ts';

const CLUSTER = 'strimzi.io/cluster';

/** Strimzi's resources belong to its Kafka; topics are those of austream, rights those of its workers. */
export const kafka: Check = (objects, report) => {
  const [cluster] = ofKind(objects, 'Kafka');
  if (!cluster) return;
  for (const kind of ['KafkaNodePool', 'KafkaTopic', 'KafkaUser'])
    for (const object of ofKind(objects, kind))
      if (object.metadata.labels?.[CLUSTER] !== cluster.metadata.name)
        report(object, 'belongs to no Kafka that is made here');
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
    const wanted = { partitions, replicas: replication, config };
    const given = topic && { ...topic.spec, config: texts(topic.spec.config) };
    if (!topic) report(cluster, `has no topic ${name}`);
    else if (!isDeepStrictEqual(given, wanted)) report(topic, `is not ${JSON.stringify(wanted)}`);
  }
  const names = specs.map(({ name }) => name);
  for (const user of ofKind(objects, 'KafkaUser'))
    for (const { resource } of user.spec.authorization.acls)
      if (resource.type === 'topic' && resource.patternType !== 'prefix' && !names.includes(resource.name))
        report(user, `has rights on ${resource.name}, which is no topic of austream`);
  for (const workload of workloads(objects)) {
    const { brokers: asked = [] } = configOf(objects, workload)?.kafka ?? {};
    if (!asked.every((broker) => bootstrap.includes(broker)))
      report(workload, `asks ${asked}, not ${bootstrap}`);
  }
};

function texts(config: Manifest): Record<string, string> {
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, String(value)]));
}
