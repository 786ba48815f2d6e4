import { ACTION_UNITS } from '../domain/scores.ts';
import type { RecordedTrack, Recording } from './recording.ts';

const AU_COLUMNS = ACTION_UNITS.map((au) => `AU${String(au).padStart(2, '0')}`);

/** OpenFace's columns, without those that austream lacks (landmarks, gaze, AU05 …). */
const OPENFACE_COLUMNS = [
  ...['frame', 'face_id', 'timestamp', 'confidence', 'success'],
  ...AU_COLUMNS.map((name) => `${name}_r`),
  ...AU_COLUMNS.map((name) => `${name}_c`),
];

/**
 * CSV lines for scripts that read OpenFace output, ordered by epoch, frame and track.
 *
 * `timestamp`: seconds since the first frame. `confidence`: the quality score. `success`: 0, and all scores 0, where the
 * face was unreliable. `AUxx_r`: the smoothed score 0…1, where OpenFace has an intensity 0…5. `AUxx_c`: 0 or 1.
 */
export function* openFaceCsv(recording: Recording): Generator<string> {
  yield OPENFACE_COLUMNS.join(',');
  const tracks = [...recording.tracks.values()];
  const epochs = Map.groupBy(tracks, ({ epoch }) => epoch);
  let start = Number.POSITIVE_INFINITY;
  for (const { times } of tracks) start = Math.min(start, times.at(0));
  for (const epoch of [...epochs.keys()].sort((a, b) => a - b))
    for (const [track, index] of framesInOrder(epochs.get(epoch)!)) yield csvRow(track, index, start);
}

/** Merges the frames of one epoch's tracks by frame number, then track id; yields track and index. */
function* framesInOrder(tracks: readonly RecordedTrack[]): Generator<[RecordedTrack, number]> {
  const ordered = [...tracks].sort((a, b) => a.trackId - b.trackId);
  const cursors = ordered.map(() => 0);
  for (;;) {
    let first = -1;
    ordered.forEach((track, n) => {
      if (cursors[n]! === track.frameCount) return;
      if (first < 0 || track.frameNumbers.at(cursors[n]!) < ordered[first]!.frameNumbers.at(cursors[first]!))
        first = n;
    });
    if (first < 0) return;
    yield [ordered[first]!, cursors[first]!];
    cursors[first]! += 1;
  }
}

function csvRow(track: RecordedTrack, index: number, start: number): string {
  const scores = track.smoothed.map((column) => column.at(index));
  const success = !Number.isNaN(scores[0]);
  return [
    track.frameNumbers.at(index),
    track.trackId,
    (track.times.at(index) - start).toFixed(3),
    track.qualityScores.at(index).toFixed(2),
    Number(success),
    ...scores.map((score) => (success ? score.toFixed(4) : '0')),
    ...scores.map((_, au) => Number((track.activeBits.at(index) & (1 << au)) !== 0)),
  ].join(',');
}
