import type { EndReason } from '../app/wait-for-end.ts';
import type { AustreamError } from '../errors.ts';

export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Throws `failure`. A stop by Ctrl-C exits with 130, as shells expect; every other end keeps the exit code. */
export function setExitCode(endReason: EndReason, failure: AustreamError | null): void {
  if (failure) throw failure;
  if (endReason === 'interrupted') process.exitCode = EXIT.interrupted;
}
