import { pathToFileURL } from 'node:url';
import { cameraOptions } from '../camera/options.ts';
import type { Config } from '../config/schema.ts';
import type { AuFrame } from '../domain/event.ts';
import { ACTION_UNITS, AU_NAMES } from '../domain/scores.ts';
import { AustreamError } from '../errors.ts';
import type { AuModel } from '../infer/engine/index.ts';
import { InferStage } from '../infer/stage.ts';
import { CameraSupervisor } from '../ingest/host/supervisor.ts';
import { ResourceStack } from './resource-stack.ts';

export interface FileScores {
  /** Ordered by frame, then track. */
  readonly frames: readonly AuFrame[];
  /** Frames analysed, with or without a face. */
  readonly analysed: number;
  /** Why the file could not be read to its end; null on success. */
  readonly failure: AustreamError | null;
}

/**
 * Runs the pipeline on one clip or still image: every frame, as fast as possible, without Kafka. `onProgress` gets the
 * number of frames analysed. An unreadable file gives a `failure`; any other error rejects.
 */
export async function scoreFile(
  file: string,
  config: Pick<Config, 'ingest' | 'detect' | 'infer'>,
  model: AuModel,
  onProgress: (frames: number) => void,
): Promise<FileScores> {
  const frames: AuFrame[] = [];
  let analysed = 0;
  let failure: AustreamError | null = null;
  // Batches close by count, never by a deadline, so that the same file gives the same bytes.
  const options = { ...config.infer, batch: { ...config.infer.batch, deadlineMs: Number.POSITIVE_INFINITY } };
  const stage = new InferStage(model, options, {
    frames: (scored) => void frames.push(...scored),
    activations: () => {},
    dropped: () => {},
  });
  const source = new CameraSupervisor(
    cameraOptions.parse({ id: 'file', url: pathToFileURL(file).href, analysisFps: 120 }),
    config,
    {
      faces: (faces) => {
        analysed += 1;
        onProgress(analysed);
        return stage.push(faces);
      },
      epochEnded: (cameraId, epoch) => stage.endEpoch(cameraId, epoch),
      status: () => {},
    },
  );
  const resources = new ResourceStack();
  resources.add('source', () => source.stop());
  await resources.closeAfter(async () => {
    source.start();
    try {
      await Promise.race([source.done, stage.failed]);
      await stage.flush();
    } catch (error) {
      if (!(error instanceof AustreamError)) throw error;
      failure = error;
    }
  });
  frames.sort((a, b) => a.epoch - b.epoch || a.frame - b.frame || a.trackId - b.trackId);
  return { frames, analysed, failure };
}

/** Columns of the CSV. `time` is in seconds from the start of the file, the box in pixels of the source. */
export const CSV_COLUMNS = [
  ...['source', 'track', 'frame', 'time', 'x', 'y', 'w', 'h', 'quality'],
  ...ACTION_UNITS.flatMap((au) =>
    ['raw', 'p', 'c'].map((kind) => `AU${String(au).padStart(2, '0')}_${kind}`),
  ),
];

/** One face in one frame as a CSV row. The scores of an unreliable face are empty cells. */
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
      const state = frame.aus[name];
      return state ? [state.raw.toFixed(6), state.p.toFixed(6), Number(state.active)] : ['', '', ''];
    }),
  ].join(',');
}
