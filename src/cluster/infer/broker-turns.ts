import { Semaphore } from 'async-mutex';
import { monotonicMs } from '../../clock.ts';
import type { BrokerTurn } from '../../kafka/transaction.ts';

/** Each call blocks one of libuv's threads, which the model and the consumer need too. */
const PROMPT_CALLS = 4;
const SLOW_CALLS = 2;
/** Limits of one call, after which librdkafka lets it be repeated. */
const PROMPT_LIMIT_MS = 2_000;
const SLOW_LIMIT_MS = 5_000;
/** A partition whose last call took longer than this is slow. */
const SLOW_MS = 1_000;

/**
 * Who may call the brokers at present. Partitions whose last call was slow, because a coordinator hangs, share turns of
 * their own: they never take those of the others.
 */
export class BrokerTurns {
  readonly #prompt = new Semaphore(PROMPT_CALLS);
  readonly #slow = new Semaphore(SLOW_CALLS);

  /** The turns of one partition. */
  forPartition(): BrokerTurn {
    let isSlow = false;
    return (call) => {
      const [turns, limitMs] = isSlow ? [this.#slow, SLOW_LIMIT_MS] : [this.#prompt, PROMPT_LIMIT_MS];
      return turns.runExclusive(async () => {
        const startedAt = monotonicMs();
        try {
          return await call(limitMs);
        } finally {
          isSlow = monotonicMs() - startedAt > SLOW_MS;
        }
      });
    };
  }
}
