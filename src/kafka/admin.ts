import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type Admin } from 'kafkajs';
import { AustreamError } from '../errors.ts';
import { kafkajsConnection } from './connection.ts';
import { Kafka } from './corrected-kafkajs.ts';
import { isAuthorizationError, rootCause, toAustreamError } from './kafkajs-errors.ts';
import type { KafkaOptions } from './options.ts';

/** A topic as the config wants it. */
export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Replicas of each partition; -1: the brokers' default. */
  readonly replication: number;
  readonly config: Readonly<Record<string, string>>;
}

// kafkajs is CommonJS: Node finds no named export ConfigResourceTypes.
const { ConfigResourceTypes } = kafkajs;

/**
 * Metadata of a new topic reaches all brokers within a second or so. This polls for a state and retries no failure, so
 * the interval is fixed.
 */
const METADATA_POLLS = 50;
const METADATA_POLL_MS = 100;

export interface AdminCall {
  /** Topics that `work` requests, for the error message. */
  readonly topics?: readonly string[];
  /** Limit of one connection attempt; default: `kafka.connectSeconds`, at most 10 s. */
  readonly connectMs?: number;
  /** Retries of a request; default 3. */
  readonly retries?: number;
}

/**
 * Runs `work` with a connected admin client and disconnects it. Throws KAFKA_UNREACHABLE or KAFKA_REJECTED, and an
 * AustreamError of `work` as it is.
 */
export async function withAdmin<T>(
  kafka: KafkaOptions,
  work: (admin: Admin) => Promise<T>,
  { topics = [], connectMs = Math.min(10_000, kafka.connectSeconds * 1000), retries = 3 }: AdminCall = {},
): Promise<T> {
  const admin = new Kafka({
    ...kafkajsConnection(kafka),
    connectionTimeout: connectMs,
    retry: { retries },
  }).admin();
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw toAustreamError(error, kafka.brokers ?? [], { topics });
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

/** Partitions of an existing topic. */
export async function partitionCount(admin: Admin, topic: string): Promise<number> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0]!.partitions.length;
}

/**
 * Creates the topics that do not exist and returns their names. Existing topics are left unchanged. When it resolves,
 * all topics have leaders, even if another process creates them at the same time. With `refused`, a topic that this user
 * may not create, or may not even see, is no failure: somebody else may create it.
 */
export async function createMissingTopics(
  admin: Admin,
  specs: readonly TopicSpec[],
  refused?: (topic: string) => void,
): Promise<string[]> {
  const without = new Set<string>();
  const existing = new Set(await admin.listTopics());
  const missing = specs.filter(({ name }) => !existing.has(name));
  if (missing.length > 0)
    await admin
      .createTopics({
        waitForLeaders: false,
        topics: missing.map(({ name, partitions, replication, config }) => ({
          topic: name,
          numPartitions: partitions,
          replicationFactor: replication,
          configEntries: Object.entries(config).map(([key, value]) => ({ name: key, value })),
        })),
      })
      .catch((error) => {
        const denied = deniedTopics(error);
        if (!denied) throw error;
        if (!refused) throw createDeniedError(denied, error);
        for (const topic of denied) without.add(topic);
      });
  const usable = specs.map(({ name }) => name).filter((name) => !without.has(name));
  if (usable.length > 0) await waitForLeaders(admin, usable);
  for (const topic of without) refused!(topic);
  return missing.map(({ name }) => name).filter((name) => !without.has(name));
}

/** The topics that this user may not create; null if the creation failed for anything else. */
function deniedTopics(error: unknown): string[] | null {
  const { errors } = error as { errors?: { type?: string; topic?: string }[] };
  if (!errors || errors.length === 0 || !errors.every((each) => isAuthorizationError(each))) return null;
  return errors.map(({ topic }) => topic!);
}

function createDeniedError(topics: readonly string[], cause: unknown): AustreamError {
  return new AustreamError(
    'KAFKA_REJECTED',
    `this user lacks the right Create on the cluster or on topic ${topics.join(', ')}; if the topics exist, it lacks Describe on them`,
    {
      fix: 'let an administrator create the topics (austream topics create), or give this user the right',
      cause,
    },
  );
}

/** Whether the brokers have the topic. An authorization error is thrown. */
export async function topicExists(admin: Admin, topic: string): Promise<boolean> {
  try {
    await admin.fetchTopicMetadata({ topics: [topic] });
    return true;
  } catch (error) {
    if ((rootCause(error) as { type?: string }).type === 'UNKNOWN_TOPIC_OR_PARTITION') return false;
    throw error;
  }
}

/** Polls until the brokers know the topics and their leaders. */
async function waitForLeaders(admin: Admin, topics: string[]): Promise<void> {
  for (let left = METADATA_POLLS; ; left -= 1) {
    try {
      await admin.fetchTopicMetadata({ topics });
      return;
    } catch (error) {
      const { type } = error as { type?: string };
      if (left === 0 || (type !== 'UNKNOWN_TOPIC_OR_PARTITION' && type !== 'LEADER_NOT_AVAILABLE'))
        throw error;
      await sleep(METADATA_POLL_MS);
    }
  }
}

/** One setting of a topic that differs from the config. */
export interface TopicDifference {
  readonly setting: string;
  /** The value on the brokers. */
  readonly from: string;
  /** The value in the config. */
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
  /** The topic settings that austream's config covers. */
  readonly config: Readonly<Record<string, string>>;
  readonly differs: readonly TopicDifference[];
}

const PARTITIONS = 'partitions';
const REPLICATION = 'replication';
const SHOWN_SETTINGS = [
  'cleanup.policy',
  'compression.type',
  'retention.ms',
  'min.insync.replicas',
  'segment.ms',
];

/** The state of each topic, and how it differs from the config. */
export async function describeTopics(admin: Admin, specs: readonly TopicSpec[]): Promise<TopicState[]> {
  const existing = new Set(await admin.listTopics());
  const present = specs.filter(({ name }) => existing.has(name));
  if (present.length === 0) return specs.map(absent);
  const { topics } = await admin.fetchTopicMetadata({ topics: present.map(({ name }) => name) });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: present.map(({ name }) => ({
      type: ConfigResourceTypes.TOPIC,
      name,
      configNames: [...new Set([...SHOWN_SETTINGS, ...specs.flatMap(({ config }) => Object.keys(config))])],
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
 * Creates missing topics and alters those that differ from the config. Idempotent. Throws KAFKA_REJECTED before any
 * change if a topic has more partitions than the config (Kafka cannot remove partitions) or another number of replicas.
 */
export async function createTopics(admin: Admin, specs: readonly TopicSpec[]): Promise<TopicChange[]> {
  const before = await describeTopics(admin, specs);
  for (const { topic, differs } of before) rejectImpossible(topic, differs);
  const created = new Set(await createMissingTopics(admin, specs));
  for (const { topic, differs } of before) {
    const partitions = differs.find(({ setting }) => setting === PARTITIONS);
    if (partitions)
      await admin.createPartitions({ topicPartitions: [{ topic, count: Number(partitions.to) }] });
    if (differs.some(({ setting }) => setting !== PARTITIONS)) await alterSettings(admin, topic, specs);
  }
  return before.map(({ topic, differs }) => ({ topic, created: created.has(topic), changed: differs }));
}

function rejectImpossible(topic: string, differs: readonly TopicDifference[]): void {
  const fewer = differs.find(({ setting, from, to }) => setting === PARTITIONS && Number(from) > Number(to));
  if (fewer)
    throw new AustreamError(
      'KAFKA_REJECTED',
      `${topic} has ${fewer.from} partitions and cannot shrink to ${fewer.to}`,
      {
        fix: `set kafka.topics.partitions to ${fewer.from} or more, or use another kafka.topicPrefix`,
      },
    );
  const replicas = differs.find(({ setting }) => setting === REPLICATION);
  if (replicas)
    throw new AustreamError(
      'KAFKA_REJECTED',
      `${topic} has ${replicas.from} replicas, the config says ${replicas.to}`,
      {
        fix: 'change the replicas with Kafka’s kafka-reassign-partitions tool, or set kafka.topics.replication',
      },
    );
}

/** kafkajs's alterConfigs replaces all settings of a topic, so the settings made by others are sent along. */
async function alterSettings(admin: Admin, topic: string, specs: readonly TopicSpec[]): Promise<void> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
  });
  const TOPIC_OVERRIDE = 1;
  const overrides = (resources[0]?.configEntries ?? []).filter(
    ({ configSource, readOnly }) => (configSource as number) === TOPIC_OVERRIDE && !readOnly,
  );
  const wanted = specs.find(({ name }) => name === topic)!.config;
  const settings = new Map([
    ...overrides.map(({ configName, configValue }): [string, string] => [configName, configValue]),
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
