import { availableParallelism } from 'node:os';
import { Semaphore } from 'async-mutex';

/**
 * Bounds how many camera processes of this host start at once, first come, first served. Each child loads Node,
 * GStreamer and the detector; fifty at once would all exceed the start timeout.
 */
export const startSlots = new Semaphore(Math.max(2, availableParallelism()));
