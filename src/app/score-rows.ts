import type { AuFrame } from '../domain/event.ts';
import { ACTION_UNITS, AU_NAMES } from '../domain/scores.ts';

export type ScoreFormat = 'csv' | 'ndjson';

/** Columns of the CSV. `time` is in seconds from the start of the file, the box in pixels of the source. */
const CSV_COLUMNS = [
  ...['source', 'track', 'frame', 'time', 'x', 'y', 'w', 'h', 'quality'],
  ...ACTION_UNITS.flatMap((au) =>
    ['raw', 'p', 'c'].map((kind) => `AU${String(au).padStart(2, '0')}_${kind}`),
  ),
];

/** The rows before the first frame. */
export function headerRows(format: ScoreFormat): readonly string[] {
  return format === 'csv' ? [CSV_COLUMNS.join(',')] : [];
}

/** One row per face and frame. `source` is the path of the scored file. */
export function* scoreRows(
  source: string,
  frames: readonly AuFrame[],
  format: ScoreFormat,
): Generator<string> {
  for (const frame of frames)
    yield format === 'csv' ? csvRow(source, frame) : JSON.stringify({ source, ...frame });
}

/** The scores of an unreliable face are empty cells. */
function csvRow(source: string, frame: AuFrame): string {
  const { box } = frame;
  return [
    /[",\r\n]/.test(source) ? `"${source.replaceAll('"', '""')}"` : source,
    frame.trackId,
    frame.frame,
    (frame.captureTime / 1e6).toFixed(6),
    ...[box.x, box.y, box.w, box.h].map((pixels) => pixels.toFixed(2)),
    frame.quality.score.toFixed(4),
    ...AU_NAMES.flatMap((name) => {
      const state = frame.aus[name];
      return state ? [state.raw.toFixed(6), state.p.toFixed(6), Number(state.active)] : ['', '', ''];
    }),
  ].join(',');
}
