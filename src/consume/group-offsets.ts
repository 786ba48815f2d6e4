import type { Admin, Kafka } from 'kafkajs';
import { parseProof } from './record-proof.ts';
import type { PartitionOffsets } from './starting-point.ts';

const NO_OFFSET = '-1';
/** Few: the member itself tries again, and kafkajs cannot be stopped while it does. */
const RETRIES = 2;

/** Reads what the brokers know of a group and its topics. Needs the right to read both, like the group itself. */
export class GroupOffsets {
  readonly #kafka: Kafka;
  readonly #groupId: string;
  readonly #topics: readonly string[];
  #admin: Promise<Admin> | null = null;

  constructor(kafka: Kafka, groupId: string, topics: readonly string[]) {
    this.#kafka = kafka;
    this.#groupId = groupId;
    this.#topics = topics;
  }

  /** Every partition of the topics; with the group's committed offset, if `withCommitted`. */
  async read(withCommitted: boolean): Promise<PartitionOffsets[]> {
    // An admin client of kafkajs keeps the list of partitions for minutes: a new client knows those of now.
    await this.close();
    const admin = await this.#connected();
    const committed = withCommitted
      ? await admin.fetchOffsets({ groupId: this.#groupId, topics: [...this.#topics] })
      : [];
    const perTopic = await Promise.all(
      this.#topics.map(async (topic) => {
        const offsets = committed.find((entry) => entry.topic === topic)?.partitions ?? [];
        return (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }): PartitionOffsets => {
          const own = offsets.find((entry) => entry.partition === partition);
          const hasOffset = own !== undefined && own.offset !== NO_OFFSET;
          return {
            ...{ topic, partition, low: BigInt(low), high: BigInt(high) },
            position: hasOffset ? BigInt(own.offset) : null,
            proof: hasOffset ? parseProof(own.metadata) : null,
          };
        });
      }),
    );
    return perTopic.flat();
  }

  /** Partitions of each topic and their ends, for the lag. Partitions that were just added have no end yet. */
  async ends(): Promise<{ topic: string; partitions: number; ends: ReadonlyMap<number, bigint> }[]> {
    const admin = await this.#connected();
    const { topics } = await admin.fetchTopicMetadata({ topics: [...this.#topics] });
    return Promise.all(
      topics.map(async ({ name, partitions }) => {
        const offsets = await admin.fetchTopicOffsets(name);
        const ends = new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]));
        return { topic: name, partitions: partitions.length, ends };
      }),
    );
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = null;
    await admin?.then((client) => client.disconnect()).catch(() => {});
  }

  #connected(): Promise<Admin> {
    this.#admin ??= this.#connect();
    return this.#admin;
  }

  async #connect(): Promise<Admin> {
    const admin = this.#kafka.admin({ retry: { retries: RETRIES } });
    try {
      await admin.connect();
      return admin;
    } catch (error) {
      this.#admin = null;
      throw error;
    }
  }
}
