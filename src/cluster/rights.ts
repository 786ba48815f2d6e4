import type { KafkaOptions } from '../kafka/options.ts';
import type { Right } from '../kafka/rights.ts';
import { topicNames } from '../records/topics.ts';
import type { ClusterOptions } from './options.ts';
import { clusterTopics, inferTopics } from './topics.ts';

/** Commands that connect to the brokers of a config. */
export const KAFKA_COMMANDS = ['run', 'ingest', 'infer', 'cameras', 'tail'] as const;
export type KafkaCommand = (typeof KAFKA_COMMANDS)[number];

const topic = (name: string, ...operations: Right['operation'][]): Right[] =>
  operations.map((operation) => ({ operation, resource: 'topic', name }));
const optional = (rights: readonly Right[]) => rights.map((right) => ({ ...right, optional: true }));
const group = (name: string): Right[] => [{ operation: 'Read', resource: 'group', name }];

/** The rights on the brokers that a command needs when its topics exist. docs/deploying.md lists them. */
export function rightsOf(
  command: KafkaCommand,
  { kafka, cluster }: { readonly kafka: KafkaOptions; readonly cluster: ClusterOptions },
): Right[] {
  const names = topicNames(kafka.topicPrefix);
  const { crops, cameraConfig } = clusterTopics(kafka.topicPrefix);
  const deadLetters = optional(topic(names.DeadLetter, 'Write'));
  // To notice another worker that runs the same camera.
  const owners = optional([...topic(names.CameraStatus, 'Read'), ...group(`${names.CameraStatus}-tail`)]);
  switch (command) {
    case 'run':
      return [
        ...[names.AuFrame, names.AuActivation, names.CameraStatus].flatMap((name) => topic(name, 'Write')),
        ...owners,
        ...deadLetters,
      ];
    case 'ingest':
      return [
        ...topic(crops, 'Write'),
        ...topic(names.CameraStatus, 'Write'),
        ...owners,
        ...(cluster.cameras === 'topic'
          ? [...topic(cameraConfig, 'Read'), ...group(`${cluster.group}-ingest`)]
          : []),
      ];
    case 'infer': {
      const { frames, activations, state } = inferTopics(kafka.topicPrefix);
      return [
        ...topic(crops, 'Read'),
        ...topic(state, 'Read', 'Write'),
        ...topic(frames, 'Write'),
        ...topic(activations, 'Write'),
        ...deadLetters,
        ...group(`${cluster.group}-infer`),
        { operation: 'Write', resource: 'transactionalId', name: `${cluster.group}-infer-`, prefix: true },
      ];
    }
    case 'cameras':
      return topic(cameraConfig, 'Read', 'Write');
    case 'tail':
      return [
        ...[names.AuFrame, names.AuActivation, names.CameraStatus].flatMap((name) => topic(name, 'Read')),
        { operation: 'Read', resource: 'group', name: 'austream-tail-', prefix: true },
      ];
  }
}
