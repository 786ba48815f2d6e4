/**
 * What kind of loss a cause is.
 * `wanted`: somebody asked for it (a frame rate, a mask, a pause): counted, but no loss.
 * `frames`: frames of live cameras that were left out before their analysis, because something was too slow.
 * `crops`: crops of live cameras that were left out before scoring, because something was too slow.
 * `lost`: all else. What was lost cannot be had again.
 */
export type LossKind = 'wanted' | 'frames' | 'crops' | 'lost';

/**
 * Every cause in `drops` on `au.cameras` and in `austream_dropped_total`. The list is closed: a test compares it with
 * docs/troubleshooting.md, another with the alerts.
 */
export const LOSS_CAUSES = {
  analysis_fps: 'wanted',
  masked: 'wanted',
  paused: 'wanted',
  reader_slow: 'frames',
  analysis_slow: 'frames',
  host_slow: 'frames',
  too_old: 'frames',
  overload: 'frames',
  inference_overload: 'crops',
  crop_encoding_overload: 'crops',
  unreadable: 'lost',
  crop_encoding_failed: 'lost',
  crop_expired: 'lost',
  crop_topic_reset: 'lost',
  crop_undecodable: 'lost',
  crop_set_aside: 'lost',
  state_unreadable: 'lost',
  kafka_away: 'lost',
  record_too_large: 'lost',
  event_invalid: 'lost',
  spool_full: 'lost',
  disk_full: 'lost',
  disk_error: 'lost',
  spool_corrupt: 'lost',
  closed_before_delivery: 'lost',
} as const satisfies Readonly<Record<string, LossKind>>;

export type LossCause = keyof typeof LOSS_CAUSES;

/** The kind of a cause. One that this version does not know, from a camera process of another, is a loss. */
export function lossKind(cause: string): LossKind {
  return Object.hasOwn(LOSS_CAUSES, cause) ? LOSS_CAUSES[cause as LossCause] : 'lost';
}

/** The drops that are losses, by cause. */
export function losses(drops: Readonly<Record<string, number>>): [cause: string, count: number][] {
  return Object.entries(drops).filter(([cause, count]) => lossKind(cause) !== 'wanted' && count > 0);
}
