import type { Writable } from 'node:stream';
import { monotonicMs } from '../clock.ts';
import type { Screen } from '../terminal/renderer.ts';
import { printNote } from './output.ts';

/** What a slow reader has not read is kept up to this size. */
const MAX_BEHIND_BYTES = 8 * 1024 * 1024;
const REPEAT_MS = 60_000;

type Output = Pick<
  Writable,
  'write' | 'writableLength' | 'writableNeedDrain' | 'destroyed' | 'once' | 'off'
> & {
  readonly columns?: number;
  readonly isTTY?: boolean;
};

/**
 * Standard output for a reader that may be slow, or stop: what waits for it is bounded. Sources that can wait call `room`
 * first; what live sources write beyond the bound is left out and counted.
 */
export class PacedOutput implements Screen {
  readonly #output: Output;
  readonly #warn: (text: string) => void;
  #leftOut = 0;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(output: Output = process.stdout, warn: (text: string) => void = printNote) {
    this.#output = output;
    this.#warn = warn;
    if (output.isTTY) setNonBlocking(output);
  }

  get columns(): number | undefined {
    return this.#output.columns;
  }

  get isTTY(): boolean {
    return this.#output.isTTY === true;
  }

  /** The reader has not read yet what was written. */
  get behind(): boolean {
    return this.#output.writableNeedDrain;
  }

  /** Writes that were left out because the reader was behind. */
  get leftOut(): number {
    return this.#leftOut;
  }

  write(text: string): void {
    if (this.#output.destroyed) return;
    if (this.#output.writableLength <= MAX_BEHIND_BYTES) {
      this.#output.write(text);
      return;
    }
    this.#leftOut += 1;
    if (monotonicMs() - this.#warnedAt < REPEAT_MS) return;
    this.#warnedAt = monotonicMs();
    this.#warn(
      `whoever reads the output does not keep up: ${this.#leftOut === 1 ? 'lines are' : `${this.#leftOut} lines were`} left out`,
    );
  }

  /**
   * Resolves when the reader has read what was written, has closed the output, or `signal` is aborted. Null: there is room
   * now.
   */
  room(signal?: AbortSignal): Promise<void> | null {
    const output = this.#output;
    if (!output.writableNeedDrain || output.destroyed || signal?.aborted) return null;
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = () => {
      for (const event of ['drain', 'close']) output.off(event, done);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    for (const event of ['drain', 'close']) output.once(event, done);
    signal?.addEventListener('abort', done);
    return promise;
  }

  /** Tells how much was left out in all, if anything. */
  close(): void {
    if (this.#leftOut > 0)
      this.#warn(`${this.#leftOut} lines of the output were left out: its reader was too slow`);
  }
}

/**
 * Node writes to terminals synchronously: one that was stopped (Ctrl-S), or whose connection hangs, would stop the whole
 * process, its cameras and topics with it. There is no public API for this.
 */
function setNonBlocking(output: Output): void {
  const { _handle } = output as { _handle?: { setBlocking?(blocking: boolean): void } };
  _handle?.setBlocking?.(false);
}
