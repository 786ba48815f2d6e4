/** A device's clock, measured by one GetSystemDateAndTime. */
export interface DeviceClock {
  /** Device clock minus host clock, in milliseconds. */
  readonly offsetMs: number;
  /** Uncertainty of `offsetMs`: devices report whole seconds, and the request takes time. */
  readonly errorMs: number;
}

/**
 * Measures the clock from a device's response. `before` and `after` are Unix milliseconds of this host around the
 * request. Null if the response contains no UTC time: the library then returns a guess (this host's time, or local
 * time as if it were UTC).
 */
export function measureClock(date: unknown, xml: string, before: number, after: number): DeviceClock | null {
  const second = date instanceof Date ? date.getTime() : Number.NaN;
  if (!Number.isFinite(second) || !/UTCDateTime[\s>]/.test(xml)) return null;
  // The device read its clock somewhere within this second.
  return {
    offsetMs: Math.round(second + 500 - (before + after) / 2),
    errorMs: Math.ceil(500 + (after - before) / 2),
  };
}

/** `3600.2 s ahead of this host’s (± 0.5 s)`, or `right within 0.5 s`. */
export function describeClock({ offsetMs, errorMs }: DeviceClock): string {
  const error = (errorMs / 1000).toFixed(1);
  if (Math.abs(offsetMs) <= errorMs) return `right within ${error} s`;
  const direction = offsetMs > 0 ? 'ahead of' : 'behind';
  return `${(Math.abs(offsetMs) / 1000).toFixed(1)} s ${direction} this host’s (± ${error} s)`;
}
