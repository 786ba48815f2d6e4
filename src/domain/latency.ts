import { ageMs } from '../clock.ts';
import type { FrameStamp, Micros } from './frame.ts';

/**
 * The time from a frame's capture (files: from its reading) until now. Until it was received that is a difference of two
 * clocks, of the camera and of this host at that moment; since then it is measured. A clock that is set meanwhile has no
 * effect.
 */
export function latency({
  clockSource,
  captureTime,
  receivedAt,
}: Pick<FrameStamp, 'clockSource' | 'captureTime' | 'receivedAt'>): Micros {
  const untilReceived = clockSource === 'file' ? 0 : Math.max(0, receivedAt - captureTime);
  return untilReceived + ageMs(receivedAt) * 1_000;
}
