import { monotonicMs } from '../clock.ts';
import type { TopicDelivery } from '../domain/topic-delivery.ts';
import type { TopicSpec } from '../kafka/admin.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { LaneConnection } from './lane-connection.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { type DiskQueue, Outbox, type OutboxEntry } from './outbox.ts';
import type { HoldReason, WireFormat } from './wire-format.ts';

export interface LaneOptions {
  readonly kafka: KafkaOptions;
  readonly topic: string;
  /** How the topic is created if it does not exist; null: it never is. */
  readonly spec: TopicSpec | null;
  readonly memory: MemoryBudget;
  /** Limits of messages and bytes in flight. */
  readonly windowMessages: number;
  readonly windowBytes: number;
  readonly disk: DiskQueue | null;
  readonly wire: WireFormat;
}

export interface LaneEvents {
  delivered(entry: OutboxEntry): void;
  /** `record_too_large`: no batch is small enough for this record. Other causes: memory or disk is full. */
  dropped(entry: OutboxEntry, cause: string): void;
  /** Null: events are delivered. */
  changed(topic: string, reason: HoldReason | null): void;
}

const RELEASE_EVERY = 256;

/** `changed`, as the events of a publisher tell it. */
export function deliveryChange(
  topic: string,
  reason: HoldReason | null,
): [topic: string, state: 'delivering' | 'held', cause: string, detail: string] {
  return reason ? [topic, 'held', reason.cause, reason.detail] : [topic, 'delivering', '', ''];
}

/** The way of one topic's records to the brokers: an outbox, its part of the spool, and a producer. No other topic holds it up. */
export class Lane {
  readonly topic: string;
  readonly outbox: Outbox;
  readonly #connection: LaneConnection;
  #acknowledged = 0;
  #dropped = 0;
  #held: (HoldReason & { readonly since: number }) | null = null;

  constructor(options: LaneOptions, events: LaneEvents) {
    const { kafka, topic, spec, memory, windowMessages, windowBytes, disk, wire } = options;
    this.topic = topic;
    this.outbox = new Outbox(
      { windowMessages, windowBytes, memory, releaseEvery: RELEASE_EVERY },
      {
        send: (message) => this.#connection.send(message),
        delivered: (entry) => {
          this.#acknowledged += 1;
          events.delivered(entry);
        },
        dropped: (entry, cause) => {
          this.#dropped += 1;
          events.dropped(entry, cause);
        },
      },
      disk,
    );
    this.#connection = new LaneConnection(kafka, topic, spec, this.outbox, wire, (reason) => {
      this.#held = reason && { ...reason, since: this.#held?.since ?? monotonicMs() };
      events.changed(topic, reason);
    });
  }

  /** See `LaneConnection.open`. */
  open(how: { retryInBackground: boolean }): Promise<void> {
    return this.#connection.open(how);
  }

  /** Why nothing is delivered at present; null while records are delivered. */
  get reason(): HoldReason | null {
    return this.#connection.reason;
  }

  /** How many partitions of the topic are in use. */
  get partitions(): number {
    return this.#connection.partitions;
  }

  /** The header of a record that waits may be known now. */
  wireFormatKnown(): void {
    this.#connection.wireFormatKnown();
  }

  delivery(): TopicDelivery {
    const { pending, waiting, oldestSeconds } = this.outbox;
    const held = this.#held && {
      cause: this.#held.cause,
      detail: this.#held.detail,
      sinceSeconds: (monotonicMs() - this.#held.since) / 1000,
    };
    return {
      ...{ topic: this.topic, pending, waiting, oldestSeconds, held },
      ...{ acknowledged: this.#acknowledged, dropped: this.#dropped },
    };
  }

  /** Unacknowledged records go to the spool, or are dropped and counted. */
  async close(): Promise<void> {
    this.outbox.close('closed_before_delivery');
    await this.#connection.close();
  }
}
