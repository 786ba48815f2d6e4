import type { Hold, TopicDelivery } from '../domain/topic-delivery.ts';
import type { Say } from './say.ts';

/** One line per held topic and minute. */
const REPEAT_MS = 60_000;

interface Held {
  cause: string;
  /** When a line told about it. */
  toldAt: number;
  /** Most events that waited at once. */
  waited: number;
  /** Longest time that the topic was held, and the greatest age of an event, in seconds. */
  longestSeconds: number;
  /** Lost before the topic was held. */
  readonly droppedBefore: number;
}

/**
 * Tells when the delivery of a topic is held, each minute while it is, and when everything that waited is delivered. A
 * topic that is held again before that is still held: nothing is told twice.
 */
export class DeliveryReporter {
  readonly #say: Say;
  readonly #held = new Map<string, Held>();

  constructor(say: Say) {
    this.#say = say;
  }

  /** `now`: monotonic, ms. */
  report(now: number, topics: readonly TopicDelivery[]): void {
    for (const delivery of topics) {
      if (delivery.held) this.#reportHeld(now, delivery, delivery.held);
      else this.#reportDelivered(delivery);
    }
  }

  #reportHeld(now: number, delivery: TopicDelivery, hold: Hold): void {
    const { topic, pending, oldestSeconds, dropped } = delivery;
    let held = this.#held.get(topic);
    if (!held) {
      held = {
        cause: '',
        toldAt: now,
        waited: 0,
        longestSeconds: 0,
        droppedBefore: dropped,
      };
      this.#held.set(topic, held);
    }
    held.waited = Math.max(held.waited, pending);
    held.longestSeconds = Math.max(held.longestSeconds, hold.sinceSeconds, oldestSeconds ?? 0);
    const isNew = held.cause !== hold.cause;
    if (!isNew && now - held.toldAt < REPEAT_MS) return;
    held.cause = hold.cause;
    held.toldAt = now;
    this.#say(
      'warn',
      { topic, cause: hold.cause, pending, oldestSeconds, heldSeconds: hold.sinceSeconds },
      `${topic}: events are ${isNew ? '' : 'still '}held for ${seconds(hold.sinceSeconds)}: ${hold.cause}: ` +
        `${hold.detail}; ${waitingText(delivery)}`,
    );
  }

  #reportDelivered({ topic, pending, waiting, dropped }: TopicDelivery): void {
    const held = this.#held.get(topic);
    if (!held) return;
    held.waited = Math.max(held.waited, pending);
    if (waiting > 0) return;
    this.#held.delete(topic);
    const lost = dropped - held.droppedBefore;
    const late = Math.max(0, held.waited - lost);
    this.#say(
      lost > 0 ? 'warn' : 'info',
      { topic, cause: held.cause, late, lost },
      `${topic}: events are delivered again: ${late} were delivered up to ${seconds(held.longestSeconds)} late, ` +
        `${lost === 0 ? 'none was' : `${lost} were`} lost`,
    );
  }
}

export function waitingText({
  pending,
  oldestSeconds,
}: Pick<TopicDelivery, 'pending' | 'oldestSeconds'>): string {
  return oldestSeconds === null
    ? `${pending} wait`
    : `${pending} wait, the oldest for ${seconds(oldestSeconds)}`;
}

function seconds(value: number): string {
  return `${Math.round(value)} s`;
}
