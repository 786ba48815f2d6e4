/** Buffers that may wait between decoder and reader; a full queue loses its oldest. */
export const LIVE_BUFFERS = 12;

/** Counts the frames that a full queue lost, of which GStreamer tells nothing. */
export class DecoderQueue {
  #lost = 0;

  /**
   * Frames lost since the last call, from how many the decoder has made (the statistics of the `identity` behind it)
   * and how many were read: what is neither read nor can be waiting is lost. Never too many; while the queue is full,
   * which it is when it loses frames, exact but for other buffers in it.
   */
  lost(stats: unknown, read: number): number {
    const made = Number(/num-buffers=\(guint64\)(\d+)/.exec(String(stats))?.[1] ?? 0);
    const newly = Math.max(0, made - read - LIVE_BUFFERS - this.#lost);
    this.#lost += newly;
    return newly;
  }
}
