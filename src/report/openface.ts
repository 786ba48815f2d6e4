import { ACTION_UNITS } from '../domain/scores.ts';
import type { RecordedTrack, Recording } from './recording.ts';

const NAMES = ACTION_UNITS.map((au) => `AU${String(au).padStart(2, '0')}`);

/** Columns as OpenFace names them, without those that it has and austream has not (landmarks, gaze, AU05 …). */
export const OPENFACE_COLUMNS = [
  ...['frame', 'face_id', 'timestamp', 'confidence', 'success'],
  ...NAMES.map((name) => `${name}_r`),
  ...NAMES.map((name) => `${name}_c`),
];

/**
 * Rows for scripts that read OpenFace's CSV: ordered by frame, `timestamp` in seconds from the first one, `confidence`
 * the quality, `success` 0 (and scores 0) where the face was unreliable. `AUxx_r` is the smoothed score, 0…1: OpenFace
 * has an intensity of 0…5 there. `AUxx_c` is 0 or 1, as there.
 */
export function* openFaceCsv(recording: Recording): Generator<string> {
  yield OPENFACE_COLUMNS.join(',');
  const tracks = [...recording.tracks.values()];
  const epochs = Map.groupBy(tracks, ({ epoch }) => epoch);
  let start = Number.POSITIVE_INFINITY;
  for (const { time } of tracks) start = Math.min(start, time.at(0));
  for (const epoch of [...epochs.keys()].sort((a, b) => a - b))
    for (const [track, index] of byFrame(epochs.get(epoch)!)) yield row(track, index, start);
}

/** All frames of tracks of one epoch, in the order of frames, then tracks. */
function* byFrame(tracks: readonly RecordedTrack[]): Generator<[RecordedTrack, number]> {
  const ordered = [...tracks].sort((a, b) => a.trackId - b.trackId);
  const next = ordered.map(() => 0);
  for (;;) {
    let first = -1;
    ordered.forEach((track, n) => {
      if (next[n]! === track.frames) return;
      if (first < 0 || track.frame.at(next[n]!) < ordered[first]!.frame.at(next[first]!)) first = n;
    });
    if (first < 0) return;
    yield [ordered[first]!, next[first]!];
    next[first]! += 1;
  }
}

function row(track: RecordedTrack, index: number, start: number): string {
  const scores = track.smoothed.map((column) => column.at(index));
  const success = !Number.isNaN(scores[0]);
  return [
    track.frame.at(index),
    track.trackId,
    (track.time.at(index) - start).toFixed(3),
    track.quality.at(index).toFixed(2),
    Number(success),
    ...scores.map((score) => (success ? score.toFixed(4) : '0')),
    ...scores.map((_, au) => Number((track.active.at(index) & (1 << au)) !== 0)),
  ].join(',');
}
