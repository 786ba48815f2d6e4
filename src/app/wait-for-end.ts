/** Why a process that could run for ever ended. */
export type EndReason = 'done' | 'duration' | 'interrupted' | 'terminated';

/**
 * Waits until `done` resolves, `durationMs` has passed, or a signal asks the process to stop: SIGINT from a person, or
 * SIGTERM from the platform, for which an orderly shutdown is a success. After the first signal, a second one exits at
 * once without draining. Rejects when `done` rejects.
 */
export function waitForEnd(done: Promise<unknown>, durationMs: number | undefined): Promise<EndReason> {
  const { promise, resolve, reject } = Promise.withResolvers<EndReason>();
  const onSignal = (signal: NodeJS.Signals) => {
    resolve(signal === 'SIGINT' ? 'interrupted' : 'terminated');
    process.once('SIGINT', () => process.exit(130));
    process.once('SIGTERM', () => process.exit(143));
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  const timer = durationMs === undefined ? undefined : setTimeout(() => resolve('duration'), durationMs);
  done.then(() => resolve('done'), reject);
  return promise.finally(() => {
    clearTimeout(timer);
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  });
}
