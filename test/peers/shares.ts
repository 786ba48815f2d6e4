import type { AuFrame } from '../../src/domain/event.ts';
import { AU_NAMES } from '../../src/domain/scores.ts';
import { frameNumber } from '../records/samples.ts';

// The query of examples/sql: per face and 10 s window, the share of frames with AU6 and AU12. All times in microseconds.
const START = 1_700_000_000_000_000;
const WINDOW = 10_000_000;
/** Four tracks on six partitions. The first two differ in the epoch only. */
const FACES = [
  { cameraId: 'lobby', trackId: 1, epoch: 1 },
  { cameraId: 'lobby', trackId: 1, epoch: 2 },
  { cameraId: 'door', trackId: 1, epoch: 1 },
  { cameraId: 'gate.north', trackId: 7, epoch: 1 },
] as const;
const UNSCORED = Object.fromEntries(AU_NAMES.map((name) => [name, null])) as AuFrame['aus'];

/** The n-th frame of each face. Some faces are too small for scores, and one comes from a model without AU12. */
export function framesOfAllFaces(number: number): AuFrame[] {
  return FACES.map((face, index) => {
    const frame = { ...frameNumber(number, face), captureTime: START + number * 40_000 };
    if (number % 11 === index)
      return { ...frame, quality: { ...frame.quality, unreliable: 'too_small' }, aus: UNSCORED };
    return index === 2 && number % 5 === 0 ? { ...frame, aus: { ...frame.aus, au12: null } } : frame;
  });
}

/** What the query means: face and start of the window → share. Only windows that ended `lateness` before the last frame. */
export function expectedShares(
  frames: readonly AuFrame[],
  lateness = Number.NEGATIVE_INFINITY,
): Map<string, number> {
  const complete = Math.max(...frames.map(({ captureTime }) => captureTime)) - lateness;
  const counts = new Map<string, { both: number; all: number }>();
  for (const { cameraId, epoch, trackId, captureTime, quality, warmup, aus } of frames) {
    const start = captureTime - (captureTime % WINDOW);
    if (start + WINDOW > complete || quality.unreliable || warmup || !aus.au06 || !aus.au12) continue;
    const key = [cameraId, epoch, trackId, start].join();
    const { both, all } = counts.get(key) ?? { both: 0, all: 0 };
    counts.set(key, { both: both + Number(aus.au06.active && aus.au12.active), all: all + 1 });
  }
  return new Map([...counts].map(([key, { both, all }]) => [key, both / all]));
}

/** The complete lines of RunSql's output that are rows, as `expectedShares` has them. Times are in UTC. */
export function parsedRows(output: string): [string, number][] {
  const lines = output.split('\n').slice(0, -1);
  return lines.flatMap((line) => {
    const [kind, cameraId, epoch, trackId, start, share] = line.split('\t');
    if (kind !== '+I') return [];
    return [[[cameraId, epoch, trackId, Date.parse(`${start}Z`) * 1000].join(), Number(share)]];
  });
}
