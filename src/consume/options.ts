import type { KafkaConfig } from 'kafkajs';
import type { DeadLetterReason } from '../records/events.ts';
import type { RegistryAccess } from '../records/schema-registry.ts';

/** Where and what to read. */
export interface ConsumeOptions {
  /** host:port of one or more brokers. */
  readonly brokers: readonly string[];
  /** Any of austream's topics, e.g. `au.frames`, `au.activations`, `au.cameras`. */
  readonly topics: readonly string[];
  /** Programs of one group share the topics' partitions; each group has its own place in them. */
  readonly groupId: string;
  readonly clientId?: string;
  /** As kafkajs takes them. */
  readonly ssl?: KafkaConfig['ssl'] | undefined;
  readonly sasl?: KafkaConfig['sasl'] | undefined;
  /** Needed where the producer uses a schema registry. */
  readonly registry?: Omit<RegistryAccess, 'timeoutSeconds'>;
  /** Where a group that is new begins: at the oldest event there is (true), or with those to come (false, default). */
  readonly fromBeginning?: boolean;
  /** Keep the group's place in the topics (default). False reads without leaving a trace: the place is kept in memory. */
  readonly commit?: boolean;
  /** Ends the iteration after the body that is running. */
  readonly signal?: AbortSignal;
  /**
   * Drop events whose eventId was seen among the newest 100,000 (or so many): redeliveries after an outage.
   * Kept in memory, so redeliveries across a restart of this program come through.
   */
  readonly dedupe?: boolean | number;
  /**
   * Gets messages that cannot be decoded; when it resolves, they are passed over. What it throws ends the
   * iteration. Without it they are written to `deadLetterTopic`.
   */
  readonly onPoison?: (message: PoisonMessage) => void | Promise<void>;
  /** Has to exist. Default: `au.deadletter`. */
  readonly deadLetterTopic?: string;
}

/** A message that could not be decoded, and why. */
export interface PoisonMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly reason: DeadLetterReason;
  readonly detail: string;
}
