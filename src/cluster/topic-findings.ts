import type { TopicState } from '../kafka/admin.ts';

/** A topic that differs from what austream expects. */
export interface TopicFinding {
  readonly topic: string;
  /** `error`: records are or will be lost, or partitions cannot be processed. */
  readonly level: 'error' | 'warn';
  /** One sentence, with the cure. */
  readonly text: string;
}

export interface ClusterTopicRoles {
  readonly crops: string;
  readonly state: string;
  /** Topics that keep every record for a time. */
  readonly retained: readonly string[];
  /** The one of them that a user need not see. */
  readonly optional: string;
}

const CURE = 'bin/austream topics create --crops';

/** What is wrong with the topics of a cluster. Settings that could not be read are not judged. */
export function topicFindings(
  topics: readonly TopicState[],
  { crops, state, retained, optional }: ClusterTopicRoles,
): TopicFinding[] {
  const byName = new Map(topics.map((topic) => [topic.topic, topic]));
  const findings: TopicFinding[] = [];
  const add = (level: TopicFinding['level'], topic: string, text: string) =>
    findings.push({ level, topic, text: `${topic} ${text}` });
  const partitions = (topic: string) => byName.get(topic)?.partitions ?? 0;
  if (partitions(state) > 0 && partitions(state) < partitions(crops))
    add(
      'error',
      state,
      `has ${partitions(state)} partitions, ${crops} has ${partitions(crops)}: crops of the others cannot be scored. ` +
        `Set kafka.topics.partitions to ${partitions(crops)} and run ${CURE}`,
    );
  const policy = (topic: string) => byName.get(topic)?.config['cleanup.policy'];
  if (policy(state)?.split(',').includes('delete') || policy(state) === '')
    add(
      'error',
      state,
      `has cleanup.policy=${policy(state)}: states of tracks are deleted. Set compact, or run ${CURE}`,
    );
  for (const topic of [crops, ...retained])
    if (policy(topic)?.split(',').includes('compact'))
      add(
        'error',
        topic,
        `has cleanup.policy=${policy(topic)}: Kafka deletes records that nobody has read. Set delete, or run ${CURE}`,
      );
  for (const { topic, exists, differs } of topics) {
    if (!exists)
      add(
        topic === optional ? 'warn' : 'error',
        topic,
        `does not exist, or this user lacks Describe on it: run ${CURE}`,
      );
    const told = findings.some((finding) => finding.topic === topic);
    const list = differs
      .map(({ setting, from, to }) => `${setting} is ${from || 'not set'}, the config says ${to}`)
      .join('; ');
    if (!told && list !== '')
      add('warn', topic, `differs from the config: ${list}. Change the config, or run ${CURE}`);
  }
  return findings;
}
