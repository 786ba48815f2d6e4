import { monotonicMs } from '../clock.ts';
import { diagnostics, type ProcessGauges } from '../diagnostics.ts';
import { NewLosses } from '../domain/new-losses.ts';
import type { TopicDelivery } from '../domain/topic-delivery.ts';
import { log } from '../log.ts';
import { DeliveryReadiness } from './delivery-readiness.ts';
import { DeliveryReporter } from './delivery-reporter.ts';
import { LossReporter } from './loss-reporter.ts';
import type { Say } from './say.ts';

const INTERVAL_MS = 1_000;

export interface DeliveryWatchOptions {
  /** An event that waits for longer makes the process unready. */
  readonly readySeconds: number;
  /** Called about once a second, and at once when delivery is held or goes on. `lost`: by cause, so far. */
  observed?(topics: readonly TopicDelivery[], lost: Readonly<Record<string, number>>): void;
}

const sayToLog: Say = (level, fields, text) => log[level](fields, text);

/** Watches the losses and the delivery of a process from before its worker opens until after it is closed. */
export class DeliveryWatch {
  readonly #options: DeliveryWatchOptions;
  readonly #losses = new LossReporter(sayToLog);
  readonly #deliveries = new DeliveryReporter(sayToLog);
  readonly #readiness: DeliveryReadiness;
  readonly #newLosses = new NewLosses();
  readonly #unsubscribes: readonly (() => void)[];
  readonly #timer: NodeJS.Timeout;
  #read: () => ProcessGauges | null = () => null;

  constructor(options: DeliveryWatchOptions) {
    this.#options = options;
    this.#readiness = new DeliveryReadiness(options.readySeconds);
    this.#unsubscribes = [
      diagnostics.lost.subscribe(({ cameraId, count, cause }) => this.#losses.add(cameraId, count, cause)),
      diagnostics.status.subscribe((status) => {
        for (const [cause, count] of this.#newLosses.of(status))
          this.#losses.add(status.cameraId, count, cause);
      }),
      // Once the publisher has noted the change.
      diagnostics.delivery.subscribe(() => queueMicrotask(() => this.#observe())),
    ];
    this.#timer = setInterval(() => this.#observe(), INTERVAL_MS).unref();
  }

  /** Losses of the process so far, by cause. */
  get lost(): Readonly<Record<string, number>> {
    return this.#losses.totals;
  }

  /** What keeps the process from being ready, e.g. `events are being refused: CAUSE (TOPIC)`. */
  get missing(): readonly string[] {
    return this.#readiness.missing;
  }

  /** `read`: the state of the worker, which is open now. */
  follow(read: () => ProcessGauges): void {
    this.#read = read;
  }

  /** Tells what was not told yet. */
  close(): void {
    clearInterval(this.#timer);
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    this.#losses.finish();
  }

  #observe(): void {
    const now = monotonicMs();
    this.#losses.report(now);
    const topics = this.#read()?.publisher.topics ?? [];
    this.#deliveries.report(now, topics);
    this.#readiness.observe(now, topics);
    this.#options.observed?.(topics, this.lost);
  }
}
