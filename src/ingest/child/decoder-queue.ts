import { monotonicMs } from '../../clock.ts';
import { DECODED_PROBE, type PipelineElements } from './pipeline-elements.ts';

/** Capacity of a live camera's queue between decoder and reader, in buffers; a full queue drops its oldest. */
export const LIVE_BUFFERS = 12;
/** How often the decoder's statistics are read. */
const POLL_MS = 200;

/** Counts the frames that a full decoder queue has dropped: GStreamer does not report them. */
export class DecoderQueue {
  readonly #pipeline: Pick<PipelineElements, 'property'>;
  #polledAt = 0;
  #dropped = 0;

  constructor(pipeline: Pick<PipelineElements, 'property'>) {
    this.#pipeline = pipeline;
  }

  /**
   * Frames dropped since the last call; call it for each frame. `read`: buffers read so far. Frames that were decoded,
   * were not read and exceed the capacity were dropped. Never overcounts; exact while the queue is full of frames, as
   * it is when it drops some.
   */
  newDrops(read: number): number {
    const now = monotonicMs();
    if (now - this.#polledAt < POLL_MS) return 0;
    this.#polledAt = now;
    const stats = String(this.#pipeline.property(DECODED_PROBE, 'stats'));
    const decoded = Number(/num-buffers=\(guint64\)(\d+)/.exec(stats)?.[1] ?? 0);
    const newDrops = Math.max(0, decoded - read - LIVE_BUFFERS - this.#dropped);
    this.#dropped += newDrops;
    return newDrops;
  }
}
