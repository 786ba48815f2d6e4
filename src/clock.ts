/**
 * The two clocks of this host. Durations, time-outs, ages and rates come from the monotonic clock. The wall clock is for
 * stamps that leave the process and for times of day: people and NTP set it at any time, by any step.
 */

/** The wall clock was set if it moves by at least this much against the monotonic clock; below, it was corrected. */
export const CLOCK_STEP_MS = 500;
/** A difference below this is jitter of the readings. */
const JITTER_MS = 5;
/** The clocks can be compared only if they are read within this time. */
const READ_TOGETHER_MS = 5;
/** Steps that are remembered, so that stamps from before them keep their age. */
const MAX_STEPS = 16;
const LOOK_MS = 1_000;

/** A stretch of time between two steps. Both ends are uncertain by the time between two looks at the clocks. */
interface Stretch {
  /** Wall clock minus monotonic clock, ms. */
  offset: number;
  /** Monotonic ms. */
  readonly from: number;
  until: number;
}

/** Oldest first. */
const stretches: Stretch[] = [{ offset: performance.timeOrigin, from: 0, until: Number.POSITIVE_INFINITY }];
const stepListeners = new Set<(stepMs: number) => void>();
let lookedAt = performance.now();

/** Milliseconds of a clock that nobody sets, with fractions. Its zero is arbitrary and differs between processes. */
export function monotonicMs(): number {
  return performance.now();
}

/** Unix milliseconds, whole: a stamp or a time of day. */
export function wallMs(): number {
  return Date.now();
}

/** Unix microseconds: a stamp. Finer than `wallMs`. */
export function wallMicros(): number {
  return Math.round((look() + performance.now()) * 1_000);
}

/** Starts to measure a piece of work; the returned function ends it. Its stamps are as far apart as the work was long. */
export function measureSpan(): () => { from: number; to: number } {
  const from = wallMicros();
  const start = performance.now();
  return () => ({ from, to: from + Math.round((performance.now() - start) * 1_000) });
}

/** Wall clock minus monotonic clock in ms, as of the last `wallMicros`: the two belong together. */
export function wallOffsetMs(): number {
  return stretches.at(-1)!.offset;
}

/**
 * The moment in `monotonicMs` at which the wall clock of this host showed `stamp` (Unix microseconds), in whichever process
 * that was, and however it was set since this process began. A time that the clock showed twice counts as the later one; one
 * that it never showed, by the clock as it is now.
 */
export function monotonicAt(stamp: number): number {
  const { offset } = stretchOf(stamp) ?? stretches.at(-1)!;
  return Math.min(performance.now(), stamp / 1_000 - offset);
}

/** A stamp of this host's wall clock (Unix microseconds) from before steps, as the clock that is set now would show it. */
export function restamp(stamp: number): number {
  const stretch = stretchOf(stamp);
  return stretch ? stamp + (wallOffsetMs() - stretch.offset) * 1_000 : stamp;
}

/** Milliseconds since the wall clock of this host showed `stamp` (Unix microseconds); never negative. */
export function ageMs(stamp: number): number {
  return Math.max(0, performance.now() - monotonicAt(stamp));
}

/** Calls `listener` soon after the wall clock was set; a negative step set it back. Returns a function that ends that. */
export function onClockStep(listener: (stepMs: number) => void): () => void {
  stepListeners.add(listener);
  const timer = setInterval(look, LOOK_MS);
  (timer as { unref?(): void }).unref?.();
  return () => {
    stepListeners.delete(listener);
    clearInterval(timer);
  };
}

/** The newest stretch in which the wall clock showed `stamp`. */
function stretchOf(stamp: number): Stretch | undefined {
  look();
  const now = performance.now() + JITTER_MS;
  return stretches.findLast(({ offset, from, until }) => {
    const moment = stamp / 1_000 - offset;
    return moment >= from && moment <= Math.min(now, until);
  });
}

/** Compares the clocks. Returns the wall clock minus the monotonic clock, ms. */
function look(): number {
  const current = stretches.at(-1)!;
  const before = performance.now();
  const wall = Date.now();
  const after = performance.now();
  if (after - before > READ_TOGETHER_MS) return current.offset;
  const offset = wall - (before + after) / 2;
  const step = offset - current.offset;
  if (Math.abs(step) >= CLOCK_STEP_MS) {
    current.until = after;
    stretches.push({ offset, from: lookedAt, until: Number.POSITIVE_INFINITY });
    if (stretches.length > MAX_STEPS) stretches.shift();
    for (const listener of stepListeners) listener(step);
  } else if (Math.abs(step) > JITTER_MS) current.offset = offset;
  lookedAt = after;
  return stretches.at(-1)!.offset;
}
