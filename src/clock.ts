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
const stretches: Stretch[] = [
  { offset: performance.timeOrigin, from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY },
];
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

/** Wall clock minus monotonic clock in ms, as of the last `wallMicros`: the two belong together. */
export function wallOffsetMs(): number {
  return stretches.at(-1)!.offset;
}

/**
 * The moment in `monotonicMs` at which the wall clock of this host showed `stamp` (Unix microseconds), in whichever process
 * that was, and however it was set since. A time that the clock showed twice counts as the later one.
 */
export function monotonicAt(stamp: number): number {
  look();
  const now = performance.now();
  for (const { offset, from, until } of stretches.toReversed()) {
    const moment = stamp / 1_000 - offset;
    if (moment >= from && moment <= Math.min(now + JITTER_MS, until)) return Math.min(now, moment);
  }
  const { offset, from } = stretches.at(-1)!;
  return Math.min(now, Math.max(from, stamp / 1_000 - offset));
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
