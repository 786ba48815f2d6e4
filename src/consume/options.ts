import type { KafkaConfig } from 'kafkajs';
import type { DeadLetterReason } from '../records/events.ts';
import type { RegistryAccess } from '../records/schema-registry.ts';

/** What `consume` reads, and how. */
export interface ConsumeOptions {
  /** host:port of one or more brokers. */
  readonly brokers: readonly string[];
  /** Any of austream's topics, e.g. `au.frames`, `au.activations`, `au.cameras`. */
  readonly topics: readonly string[];
  /** Consumer group. Its members share the partitions; each group has its own offsets. */
  readonly groupId: string;
  readonly clientId?: string;
  /** TLS and SASL in the form of kafkajs. */
  readonly ssl?: KafkaConfig['ssl'] | undefined;
  readonly sasl?: KafkaConfig['sasl'] | undefined;
  /** Required if the producer uses a schema registry. */
  readonly registry?: Omit<RegistryAccess, 'timeoutSeconds'>;
  /** Where a new group starts: at the oldest event (true), or with events that arrive from now on (false, default). */
  readonly fromBeginning?: boolean;
  /** Commit offsets to the group (default). False keeps them in memory only and leaves no trace on the brokers. */
  readonly commit?: boolean;
  /** Aborting it ends the iteration after the current body. */
  readonly signal?: AbortSignal;
  /**
   * Drop redeliveries: events whose eventId is among the newest 100,000, or among as many as given. The ids are kept
   * in memory, so redeliveries after a restart of this program are not dropped.
   */
  readonly dedupe?: boolean | number;
  /**
   * Receives messages that cannot be decoded; when it resolves, the message is skipped. An error that it throws ends
   * the iteration. Without it, such messages are written to `deadLetterTopic`.
   */
  readonly onPoison?: (message: PoisonMessage) => void | Promise<void>;
  /** Must exist. Default: `au.deadletter`. */
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
