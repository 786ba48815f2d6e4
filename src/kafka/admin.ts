import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type Admin, Kafka } from 'kafkajs';
import { AustreamError } from '../errors.ts';
import { kafkajsConnection } from './connection.ts';
import { toAustreamError } from './kafkajs-errors.ts';
import type { KafkaOptions } from './options.ts';

/** A topic and how it is kept. */
export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** -1: the brokers' default. */
  readonly replication: number;
  readonly config: Readonly<Record<string, string>>;
}

// Node finds no export of this name: kafkajs is CommonJS.
const { ConfigResourceTypes } = kafkajs;

const USABLE_TRIES = 50;
const USABLE_WAIT_MS = 100;

/**
 * Runs `work` with an admin client of these brokers; failures come as KAFKA_UNREACHABLE or KAFKA_REJECTED. `topics`
 * are those that it asks for.
 */
export async function withAdmin<T>(
  kafka: KafkaOptions,
  work: (admin: Admin) => Promise<T>,
  topics: readonly string[] = [],
): Promise<T> {
  const admin = new Kafka({
    ...kafkajsConnection(kafka),
    connectionTimeout: Math.min(10_000, kafka.connectSeconds * 1000),
    retry: { retries: 3 },
  }).admin();
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw toAustreamError(error, kafka.brokers ?? [], topics);
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

/**
 * Creates those topics that do not exist; returns their names. Leaves existing ones as they are. When it resolves all
 * of them can be used, also where another process creates them at the same moment.
 */
export async function createMissingTopics(admin: Admin, specs: readonly TopicSpec[]): Promise<string[]> {
  const existing = new Set(await admin.listTopics());
  const missing = specs.filter(({ name }) => !existing.has(name));
  if (missing.length > 0)
    await admin.createTopics({
      waitForLeaders: false,
      topics: missing.map(({ name, partitions, replication, config }) => ({
        topic: name,
        numPartitions: partitions,
        replicationFactor: replication,
        configEntries: Object.entries(config).map(([key, value]) => ({ name: key, value })),
      })),
    });
  await usable(
    admin,
    specs.map(({ name }) => name),
  );
  return missing.map(({ name }) => name);
}

/** Waits until every broker that may be asked knows the topics and their leaders. */
async function usable(admin: Admin, topics: string[]): Promise<void> {
  for (let left = USABLE_TRIES; ; left -= 1) {
    try {
      await admin.fetchTopicMetadata({ topics });
      return;
    } catch (error) {
      const { type } = error as { type?: string };
      if (left === 0 || (type !== 'UNKNOWN_TOPIC_OR_PARTITION' && type !== 'LEADER_NOT_AVAILABLE'))
        throw error;
      await sleep(USABLE_WAIT_MS);
    }
  }
}

/** One setting of a topic that is not, or was not, what the config says. */
export interface TopicDifference {
  readonly setting: string;
  readonly from: string;
  readonly to: string;
}

export interface TopicChange {
  readonly topic: string;
  readonly created: boolean;
  readonly changed: readonly TopicDifference[];
}

export interface TopicState {
  readonly topic: string;
  readonly exists: boolean;
  readonly partitions: number;
  readonly replication: number;
  /** The settings that a config of austream can name. */
  readonly config: Readonly<Record<string, string>>;
  readonly differs: readonly TopicDifference[];
}

const PARTITIONS = 'partitions';
const REPLICATION = 'replication';
const SHOWN_SETTINGS = ['cleanup.policy', 'retention.ms', 'min.insync.replicas', 'segment.ms'];

/** The topics as they are, beside what they should be. */
export async function describeTopics(admin: Admin, specs: readonly TopicSpec[]): Promise<TopicState[]> {
  const existing = new Set(await admin.listTopics());
  const found = specs.filter(({ name }) => existing.has(name));
  if (found.length === 0) return specs.map(absent);
  const { topics } = await admin.fetchTopicMetadata({ topics: found.map(({ name }) => name) });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: found.map(({ name }) => ({
      type: ConfigResourceTypes.TOPIC,
      name,
      configNames: SHOWN_SETTINGS,
    })),
  });
  return specs.map((spec) => {
    const metadata = topics.find(({ name }) => name === spec.name);
    if (!metadata) return absent(spec);
    const entries = resources.find(({ resourceName }) => resourceName === spec.name)?.configEntries ?? [];
    const config = Object.fromEntries(
      entries.map(({ configName, configValue }) => [configName, configValue]),
    );
    const partitions = metadata.partitions.length;
    const replication = metadata.partitions[0]?.replicas.length ?? 0;
    const wanted: [string, string, string][] = [
      [PARTITIONS, String(partitions), String(spec.partitions)],
      ...(spec.replication > 0
        ? [[REPLICATION, String(replication), String(spec.replication)] as [string, string, string]]
        : []),
      ...Object.entries(spec.config).map(([key, to]): [string, string, string] => [
        key,
        config[key] ?? '',
        to,
      ]),
    ];
    const differs = wanted
      .filter(([, from, to]) => from !== to)
      .map(([setting, from, to]) => ({ setting, from, to }));
    return { topic: spec.name, exists: true, partitions, replication, config, differs };
  });
}

function absent({ name }: TopicSpec): TopicState {
  return { topic: name, exists: false, partitions: 0, replication: 0, config: {}, differs: [] };
}

/**
 * Creates what is missing and adapts what differs; doing it twice changes nothing. Throws KAFKA_REJECTED, before
 * it changes anything, where a topic would have to shrink: Kafka cannot take partitions away, and a key's events
 * would lose their order.
 */
export async function createTopics(admin: Admin, specs: readonly TopicSpec[]): Promise<TopicChange[]> {
  const before = await describeTopics(admin, specs);
  for (const { topic, differs } of before) refuseShrinking(topic, differs);
  const created = new Set(await createMissingTopics(admin, specs));
  for (const { topic, differs } of before) {
    const more = differs.find(({ setting }) => setting === PARTITIONS);
    if (more) await admin.createPartitions({ topicPartitions: [{ topic, count: Number(more.to) }] });
    if (differs.some(({ setting }) => setting !== PARTITIONS)) await adapt(admin, topic, specs);
  }
  return before.map(({ topic, differs }) => ({ topic, created: created.has(topic), changed: differs }));
}

function refuseShrinking(topic: string, differs: readonly TopicDifference[]): void {
  const fewer = differs.find(({ setting, from, to }) => setting === PARTITIONS && Number(from) > Number(to));
  if (fewer)
    throw new AustreamError(
      'KAFKA_REJECTED',
      `${topic} has ${fewer.from} partitions and cannot shrink to ${fewer.to}`,
      {
        fix: `set kafka.topics.partitions to ${fewer.from} or more, or use another kafka.topicPrefix`,
      },
    );
  const copies = differs.find(({ setting }) => setting === REPLICATION);
  if (copies)
    throw new AustreamError(
      'KAFKA_REJECTED',
      `${topic} has ${copies.from} replicas, the config says ${copies.to}`,
      {
        fix: 'move replicas with Kafka’s own kafka-reassign-partitions, or adapt kafka.topics.replication',
      },
    );
}

/** kafkajs replaces all of a topic's settings at once: those that were set by others are given again. */
async function adapt(admin: Admin, topic: string, specs: readonly TopicSpec[]): Promise<void> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
  });
  const TOPIC_OVERRIDE = 1;
  const kept = (resources[0]?.configEntries ?? []).filter(
    ({ configSource, readOnly }) => (configSource as number) === TOPIC_OVERRIDE && !readOnly,
  );
  const wanted = specs.find(({ name }) => name === topic)!.config;
  const settings = new Map([
    ...kept.map(({ configName, configValue }): [string, string] => [configName, configValue]),
    ...Object.entries(wanted),
  ]);
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: [...settings].map(([name, value]) => ({ name, value })),
      },
    ],
  });
}
