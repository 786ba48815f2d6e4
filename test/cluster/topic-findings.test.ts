import { expect, it } from 'vitest';
import { topicFindings } from '../../src/cluster/topic-findings.ts';
import type { TopicState } from '../../src/kafka/admin.ts';

const ROLES = { crops: 'crops', state: 'state', retained: ['frames', 'deadletter'], optional: 'deadletter' };
const topic = (name: string, change: Partial<TopicState> = {}): TopicState => ({
  ...{ topic: name, exists: true, partitions: 4, replication: 1, config: {}, differs: [] },
  ...change,
});
const NAMES = ['crops', 'state', 'frames', 'deadletter'];
const findings = (changed: TopicState) =>
  topicFindings(
    NAMES.map((name) => (name === changed.topic ? changed : topic(name))),
    ROLES,
  );

it.each([
  ['fewer partitions of the state', topic('state', { partitions: 3 }), 'error'],
  ['a state that is deleted by time', topic('state', { config: { 'cleanup.policy': 'delete' } }), 'error'],
  ['events that are compacted', topic('frames', { config: { 'cleanup.policy': 'compact' } }), 'error'],
  ['a topic that is gone', topic('frames', { exists: false, partitions: 0 }), 'error'],
  ['dead letters that this user may not see', topic('deadletter', { exists: false, partitions: 0 }), 'warn'],
  ['another setting', topic('crops', { differs: [{ setting: 'retention.ms', from: '1', to: '2' }] }), 'warn'],
])('tells %s', (_, changed, level) => {
  expect(findings(changed)).toMatchObject([{ topic: changed.topic, level }]);
});

it('has nothing to tell of topics as austream makes them', () => {
  expect(findings(topic('crops'))).toEqual([]);
});
