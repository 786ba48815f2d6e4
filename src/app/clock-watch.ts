import { onClockStep } from '../clock.ts';
import { diagnostics } from '../diagnostics.ts';
import { log } from '../log.ts';

/** Tells when this host's wall clock was set. Returns a function that ends the watch. */
export function watchClock(): () => void {
  return onClockStep((stepMs) => {
    const seconds = (Math.abs(stepMs) / 1_000).toFixed(1);
    log.warn(
      { stepMs: Math.round(stepMs) },
      `the clock of this host was set ${stepMs < 0 ? 'back' : 'forward'} by ${seconds} s: times of events before and after do not compare`,
    );
    diagnostics.clockStepped.publish({ stepMs });
  });
}
