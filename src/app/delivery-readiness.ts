import { isOutage } from '../domain/hold-cause.ts';
import type { TopicDelivery } from '../domain/topic-delivery.ts';

/** Judges each topic by itself: one that is refused is not hidden by others that are delivered. */
export class DeliveryReadiness {
  /** How long an event may wait, in seconds. */
  readonly #limitSeconds: number;
  /** By topic: acknowledgements, and when they last increased or nothing was pending. */
  readonly #progress = new Map<string, { acknowledged: number; at: number }>();
  #missing: readonly string[] = [];

  constructor(limitSeconds: number) {
    this.#limitSeconds = limitSeconds;
  }

  /** One sentence per topic whose events wait for too long; empty when all are delivered. */
  get missing(): readonly string[] {
    return this.#missing;
  }

  /** Call this about once a second. `now`: monotonic, ms. */
  observe(now: number, topics: readonly TopicDelivery[]): void {
    this.#missing = topics.flatMap((delivery) => this.#judge(now, delivery));
  }

  #judge(now: number, { topic, pending, oldestSeconds, acknowledged, held }: TopicDelivery): string[] {
    const known = this.#progress.get(topic);
    const progress =
      known && pending > 0 && known.acknowledged === acknowledged ? known : { acknowledged, at: now };
    this.#progress.set(topic, progress);
    if (oldestSeconds === null || oldestSeconds <= this.#limitSeconds) return [];
    // An outage is told in other words: no broker answers.
    if (held && isOutage(held.cause)) return [];
    if (held) return [`events are being refused: ${held.cause} (${topic})`];
    // A spool that drains holds old events, too, but some are acknowledged all the time.
    const stuck = now - progress.at > 1_000 * this.#limitSeconds;
    return stuck
      ? [`events are not acknowledged: the oldest waits for ${Math.round(oldestSeconds)} s (${topic})`]
      : [];
  }
}
