/** What a device says of its clock, by one GetSystemDateAndTime. */
export interface DeviceClock {
  /** How far it is ahead of this host's, in milliseconds. */
  readonly offsetMs: number;
  /** The true offset is within this of `offsetMs`: devices tell whole seconds, and the request took a while. */
  readonly errorMs: number;
}

/**
 * Makes an offset of a device's answer. `before` and `after` are Unix milliseconds of this host around the request.
 * Null where it tells no UTC: then the library guesses (this host's time, or local time as if it were UTC).
 */
export function readClock(
  date: Date | undefined,
  xml: string,
  before: number,
  after: number,
): DeviceClock | null {
  const second = date?.getTime() ?? Number.NaN;
  if (!Number.isFinite(second) || !/UTCDateTime[\s>]/.test(xml)) return null;
  // The second had begun by then and was not over.
  return {
    offsetMs: Math.round(second + 500 - (before + after) / 2),
    errorMs: Math.ceil(500 + (after - before) / 2),
  };
}

/** `3600.2 s ahead of this host’s (± 0.5 s)`. */
export function describeClock({ offsetMs, errorMs }: DeviceClock): string {
  const error = `± ${(errorMs / 1000).toFixed(1)} s`;
  if (Math.abs(offsetMs) <= errorMs) return `right within ${(errorMs / 1000).toFixed(1)} s`;
  return `${(Math.abs(offsetMs) / 1000).toFixed(1)} s ${offsetMs > 0 ? 'ahead of' : 'behind'} this host’s (${error})`;
}
