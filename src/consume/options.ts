import type { KafkaConfig } from 'kafkajs';
import type { AustreamError } from '../errors.ts';
import type { DeadLetterReason } from '../records/events.ts';
import type { RegistryAccess } from '../records/schema-registry.ts';
import type { PartitionLag } from './positions.ts';
import type { ResetCause } from './starting-point.ts';

/** What `consume` reads, and how. */
export interface ConsumeOptions {
  /** host:port of one or more brokers; an IPv6 address stands in brackets: `[::1]:9092`. */
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
  /**
   * Where a new group starts: at the oldest event (true), or with events that arrive from now on (false, default). It commits
   * that place at once. Whatever it has not seen later, such as an added partition, it reads from the oldest event.
   */
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
  /** Must exist once a message cannot be decoded. Default: `au.deadletter`. */
  readonly deadLetterTopic?: string;
  /** A partition is read from its oldest record although the group was elsewhere. Default: a warning of the process. */
  readonly onReset?: (reset: OffsetReset) => void;
  /** How far the assigned partitions are read, every 10 s. */
  readonly onLag?: (partitions: readonly PartitionLag[]) => void;
  /**
   * Nothing arrives because brokers or registry are away, or refuse what they allowed before; it is tried again without end. Null:
   * it is over. Default: a warning of the process, once for each outage.
   */
  readonly onRetry?: (problem: AustreamError | null) => void;
}

/** A partition is read from its oldest record. Events that were read before may come again. */
export interface OffsetReset {
  readonly topic: string;
  readonly partition: number;
  /** The offset that the group would have read next; null: it had none. */
  readonly from: string | null;
  readonly to: string;
  readonly why: ResetCause;
}

/** `stats()` of what `consume` returns. */
export interface ConsumeStats {
  /** The program is a member of its group; false while it joins. */
  readonly joined: boolean;
  /** Events for which the loop's body has run, tombstones included. */
  readonly events: number;
  /** Messages that could not be decoded. */
  readonly undecodable: number;
  /** Redeliveries that `dedupe` dropped. */
  readonly duplicates: number;
  readonly resets: number;
  /** The assigned partitions. */
  readonly partitions: readonly PartitionLag[];
  /** What brokers or registry refuse or do not answer at present, and for how long. */
  readonly retrying: readonly { readonly code: string; readonly message: string; readonly seconds: number }[];
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
