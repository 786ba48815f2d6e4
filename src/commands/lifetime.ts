/** Why a command that runs for ever came to its end. */
export type Ending = 'done' | 'duration' | 'interrupted' | 'terminated';

/**
 * Waits until `done` resolves, `durationMs` is over, or the process is asked to stop: by a person (SIGINT), or by the
 * platform (SIGTERM), for which an orderly end is a success. A second signal ends the process at once, for whoever does
 * not want to wait for a flush.
 * Rejects when `done` rejects.
 */
export function lifetime(done: Promise<unknown>, durationMs: number | undefined): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const timer = durationMs === undefined ? undefined : setTimeout(() => end('duration'), durationMs);
    const onSignal = (signal: NodeJS.Signals) => {
      end(signal === 'SIGINT' ? 'interrupted' : 'terminated');
      process.once('SIGINT', () => process.exit(130));
      process.once('SIGTERM', () => process.exit(143));
    };
    const end = (ending: Ending) => {
      clearTimeout(timer);
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      resolve(ending);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    done.then(() => end('done'), reject);
  });
}
