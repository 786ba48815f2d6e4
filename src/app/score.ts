import { pathToFileURL } from 'node:url';
import { cameraOptions } from '../camera/options.ts';
import type { Config } from '../config/schema.ts';
import type { AuFrame } from '../domain/event.ts';
import { ACTION_UNITS, AU_NAMES } from '../domain/scores.ts';
import { AustreamError } from '../errors.ts';
import type { AuModel } from '../infer/engine/index.ts';
import { InferStage } from '../infer/stage.ts';
import { CameraSupervisor } from '../ingest/host/supervisor.ts';

export interface FileScores {
  /** Ordered by frame, then track. */
  readonly frames: readonly AuFrame[];
  /** Frames analysed, with a face or without. */
  readonly analysed: number;
  /** Why the file could not be read to its end; null when it was. */
  readonly failure: AustreamError | null;
}

/** `run`'s pipeline on one clip or still image: every frame, as fast as it goes, without Kafka. */
export async function scoreFile(
  file: string,
  config: Pick<Config, 'ingest' | 'detect' | 'infer'>,
  model: AuModel,
  progress: (frames: number) => void,
): Promise<FileScores> {
  const frames: AuFrame[] = [];
  let analysed = 0;
  let failure: AustreamError | null = null;
  // Batches by count alone, never by the clock: the same file gives the same bytes.
  const options = { ...config.infer, batch: { ...config.infer.batch, deadlineMs: Number.POSITIVE_INFINITY } };
  const stage = new InferStage(model, options, {
    frames: (some) => void frames.push(...some),
    activations: () => {},
    dropped: () => {},
  });
  const source = new CameraSupervisor(
    cameraOptions.parse({ id: 'file', url: pathToFileURL(file).href, analysisFps: 120 }),
    config,
    {
      faces: (faces) => {
        analysed += 1;
        progress(analysed);
        return stage.push(faces);
      },
      epochEnded: (cameraId, epoch) => stage.endEpoch(cameraId, epoch),
      status: () => {},
    },
  );
  source.start();
  try {
    await Promise.race([source.done, stage.failed]);
    await stage.flush();
  } catch (error) {
    if (!(error instanceof AustreamError)) throw error;
    failure = error;
  } finally {
    await source.stop();
  }
  frames.sort((a, b) => a.epoch - b.epoch || a.frame - b.frame || a.trackId - b.trackId);
  return { frames, analysed, failure };
}

/** Columns of a CSV of scores; `time` in seconds from the start of the file, box in pixels of the source. */
export const CSV_COLUMNS = [
  ...['source', 'track', 'frame', 'time', 'x', 'y', 'w', 'h', 'quality'],
  ...ACTION_UNITS.flatMap((au) =>
    ['raw', 'p', 'c'].map((kind) => `AU${String(au).padStart(2, '0')}_${kind}`),
  ),
];

/** One face at one instant; the cells of an unreliable face's scores are empty. */
export function csvRow(source: string, frame: AuFrame): string {
  const { box } = frame;
  return [
    /[",\r\n]/.test(source) ? `"${source.replaceAll('"', '""')}"` : source,
    frame.trackId,
    frame.frame,
    (frame.captureTime / 1e6).toFixed(6),
    ...[box.x, box.y, box.w, box.h].map((pixels) => pixels.toFixed(2)),
    frame.quality.score.toFixed(4),
    ...AU_NAMES.flatMap((name) => {
      const au = frame.aus[name];
      return au ? [au.raw.toFixed(6), au.p.toFixed(6), Number(au.active)] : ['', '', ''];
    }),
  ].join(',');
}
