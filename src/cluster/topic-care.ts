import type { Admin } from 'kafkajs';
import { createMissingTopics, describeTopics, type TopicState, withAdmin } from '../kafka/admin.ts';
import { isAuthorizationError } from '../kafka/kafkajs-errors.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { log } from '../log.ts';
import { type ClusterTopicRoles, type TopicFinding, topicFindings } from './topic-findings.ts';
import { clusterTopicSpecs, inferTopics } from './topics.ts';

/** How soon a topic that was deleted is created again, and a difference is told. */
const CHECK_MS = 20_000;

/**
 * Looks after the topics of an inference worker: creates those that are missing, at the start and whenever one was deleted;
 * gives the state as many partitions as the crops; tells what differs from what is expected.
 */
export class TopicCare {
  readonly #kafka: KafkaOptions;
  readonly #roles: ClusterTopicRoles;
  #findings: readonly TopicFinding[] = [];
  #settingsUnknown = false;
  /** Topics that this user may not create. */
  readonly #refused = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #check: Promise<void> = Promise.resolve();

  constructor(kafka: KafkaOptions) {
    this.#kafka = kafka;
    const { crops, state, frames, activations, deadletter } = inferTopics(kafka.topicPrefix);
    this.#roles = { crops, state, retained: [frames, activations, deadletter], optional: deadletter };
  }

  /** Creates what is missing. Rejects if the brokers do not answer or do not allow it. */
  static async open(kafka: KafkaOptions): Promise<TopicCare> {
    const care = new TopicCare(kafka);
    await withAdmin(kafka, (admin) => care.#look(admin));
    care.#timer = setInterval(() => care.#lookAgain(), CHECK_MS);
    return care;
  }

  /** Errors that were found last. */
  get errors(): readonly string[] {
    return this.#findings.filter(({ level }) => level === 'error').map(({ text }) => text);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#check;
  }

  #lookAgain(): void {
    this.#check = this.#check
      .then(() => withAdmin(this.#kafka, (admin) => this.#look(admin), { retries: 0 }))
      .catch((error: Error) => log.debug(`topics cannot be checked: ${error.message}`));
  }

  async #look(admin: Admin): Promise<void> {
    const { create } = this.#kafka.topics;
    const { crops, state, retained } = this.#roles;
    const names = [crops, state, ...retained];
    const specs = clusterTopicSpecs(this.#kafka).filter(({ name }) => names.includes(name));
    if (create) {
      const created = await createMissingTopics(admin, specs, (topic) => this.#warnRefused(topic));
      if (created.length > 0) log.info({ topics: created }, 'topics created');
    }
    let states = await this.#describe(admin, specs);
    const wanted = states.find(({ topic }) => topic === crops)?.partitions ?? 0;
    const present = states.find(({ topic }) => topic === state)?.partitions ?? 0;
    if (create && present > 0 && present < wanted) {
      await admin.createPartitions({ topicPartitions: [{ topic: state, count: wanted }] });
      log.info({ topic: state, partitions: wanted }, `${state} has as many partitions as ${crops} now`);
      states = states.map((each) => (each.topic === state ? { ...each, partitions: wanted } : each));
    }
    this.#tell(topicFindings(states, this.#roles));
  }

  /** Without the right to read settings, partitions are compared alone. */
  async #describe(admin: Admin, specs: ReturnType<typeof clusterTopicSpecs>): Promise<readonly TopicState[]> {
    try {
      return await describeTopics(admin, specs);
    } catch (error) {
      if (!isAuthorizationError(error)) throw error;
      if (!this.#settingsUnknown)
        log.info('settings of the topics are not compared: this Kafka user lacks DescribeConfigs on them');
      this.#settingsUnknown = true;
    }
    const { topics } = await admin.fetchTopicMetadata({ topics: specs.map(({ name }) => name) });
    return topics.map(({ name, partitions }) => ({
      ...{ topic: name, exists: true, partitions: partitions.length, config: {}, differs: [] },
      replication: partitions[0]?.replicas.length ?? 0,
    }));
  }

  #warnRefused(topic: string): void {
    if (this.#refused.has(topic)) return;
    this.#refused.add(topic);
    log.warn({ topic }, `this user may not create ${topic}`);
  }

  #tell(findings: readonly TopicFinding[]): void {
    const known = new Set(this.#findings.map(({ text }) => text));
    this.#findings = findings;
    for (const { level, topic, text } of findings) if (!known.has(text)) log[level]({ topic }, text);
  }
}
