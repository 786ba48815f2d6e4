import { monotonicMs } from '../clock.ts';
import type { AustreamError } from '../errors.ts';
import { isKafkajsError, toAustreamError } from '../kafka/kafkajs-errors.ts';
import type { ConsumeOptions, ConsumeStats, OffsetReset } from './options.ts';
import type { PartitionId } from './positions.ts';
import type { ResetCause } from './starting-point.ts';

const WARNING = 'AustreamWarning';

const REASONS: Readonly<Record<ResetCause, string>> = {
  partition_added: 'the partition is new to the group',
  records_expired: 'the records between were deleted before the group read them',
  beyond_end: 'the partition is shorter than the group’s offset: it was created again, or lost its data',
  topic_recreated: 'another record is at the group’s offset: the topic was deleted and created again',
  offset_lost: 'the brokers have lost the group’s offset',
};

/** What is away or refuses. */
export type Source = 'brokers' | 'registry';

/** Tells the program what happens to its group: to its callbacks, or as warnings of the process. */
export class ConsumerReporter {
  readonly #options: ConsumeOptions;
  readonly #fail: (error: unknown) => void;
  readonly #retrying = new Map<Source, { problem: AustreamError; since: number }>();
  resets = 0;

  /** `fail` receives what a callback throws. */
  constructor(options: ConsumeOptions, fail: (error: unknown) => void) {
    this.#options = options;
    this.#fail = fail;
  }

  reset({
    topic,
    partition,
    from,
    to,
    cause,
  }: PartitionId & { from: bigint | null; to: bigint; cause: ResetCause }): void {
    this.resets += 1;
    const reset: OffsetReset = {
      topic,
      partition,
      from: from === null ? null : String(from),
      to: String(to),
      why: cause,
    };
    const { onReset } = this.#options;
    if (onReset) this.#call(() => onReset(reset));
    else this.#warnOfReset(reset);
  }

  #warnOfReset({ topic, partition, from, to, why }: OffsetReset): void {
    const { groupId } = this.#options;
    const place = `${topic}[${partition}] is read from its oldest record, offset ${to}`;
    const former = from === null ? '' : ` instead of offset ${from}`;
    process.emitWarning(`group ${groupId}: ${place},${former ? `${former},` : ''} because ${REASONS[why]}`, {
      type: WARNING,
      code: `AUSTREAM_RESET_${why.toUpperCase()}`,
    });
  }

  /** `source` cannot be read at present, because of `error`; null: it can. */
  retrying(source: Source, error: Error | null): void {
    const { brokers, topics, groupId, onRetry } = this.#options;
    const before = this.#retrying.get(source);
    if (!error) {
      this.#retrying.delete(source);
      if (before && this.#retrying.size === 0) this.#call(() => onRetry?.(null));
      return;
    }
    const problem = isKafkajsError(error)
      ? toAustreamError(error, brokers, { topics, groupId, operation: 'Read' })
      : (error as AustreamError);
    this.#retrying.set(source, { problem, since: before?.since ?? monotonicMs() });
    if (onRetry) {
      if (before?.problem.message !== problem.message) this.#call(() => onRetry(problem));
    } else if (!before)
      process.emitWarning(`group ${groupId}: ${problem.message}; it is tried again without end`, {
        type: WARNING,
        code: problem.code,
        ...(problem.fix === undefined ? {} : { detail: problem.fix }),
      });
  }

  #call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#fail(error);
    }
  }

  get retries(): ConsumeStats['retrying'] {
    return [...this.#retrying.values()].map(({ problem, since }) => ({
      code: problem.code,
      message: problem.message,
      seconds: Math.round((monotonicMs() - since) / 1000),
    }));
  }
}
