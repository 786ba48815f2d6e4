import { pathToFileURL } from 'node:url';
import { cameraOptions } from '../camera/options.ts';
import type { Config } from '../config/schema.ts';
import type { AuFrame } from '../domain/event.ts';
import { AustreamError } from '../errors.ts';
import { type AuModel, openModel } from '../infer/engine/index.ts';
import { InferStage } from '../infer/stage.ts';
import { CameraSupervisor } from '../ingest/host/supervisor.ts';
import { OutputFile } from './output-file.ts';
import { ResourceStack } from './resource-stack.ts';
import { headerRows, type ScoreFormat, scoreRows } from './score-rows.ts';

export interface FileScores {
  /** Ordered by epoch, frame, then track. */
  readonly frames: readonly AuFrame[];
  /** Frames analysed, with or without a face. */
  readonly analysed: number;
  /** What is missing in the table, by cause. */
  readonly drops: Readonly<Record<string, number>>;
  /** Why the file could not be read to its end; null on success. */
  readonly failure: AustreamError | null;
}

export interface ScoreObserver {
  /** Scoring of the next file starts. */
  started(): void;
  /** `analysed` counts the frames of the file so far. */
  progress(file: string, analysed: number): void;
  /** The file's rows are in the table. */
  scored(file: string, scores: FileScores): void;
}

type ScoreConfig = Pick<Config, 'ingest' | 'detect' | 'infer'>;

/** Scores clips and still images, one after another, into a table. Throws ARGUMENT_INVALID, DISK_FULL and model errors. */
export async function scoreFiles(
  files: readonly string[],
  config: ScoreConfig,
  output: { readonly path: string; readonly format: ScoreFormat },
  observer: ScoreObserver,
): Promise<void> {
  const resources = new ResourceStack();
  await resources.closeAfter(async () => {
    const model = await openModel(config.infer);
    resources.add('model', () => model.close());
    const table = new OutputFile('--out', output.path);
    resources.add('table', () => table.close());
    table.write(headerRows(output.format));
    for (const file of files) {
      observer.started();
      const scores = await scoreFile(file, config, model, (analysed) => observer.progress(file, analysed));
      table.write(scoreRows(file, scores.frames, output.format));
      observer.scored(file, scores);
    }
  });
}

/** Runs the pipeline on one file: every frame, as fast as possible, without Kafka. */
async function scoreFile(
  file: string,
  config: ScoreConfig,
  model: AuModel,
  onProgress: (analysed: number) => void,
): Promise<FileScores> {
  const frames: AuFrame[] = [];
  let analysed = 0;
  let failure: AustreamError | null = null;
  let cameraDrops: Readonly<Record<string, number>> = {};
  const cropDrops: Record<string, number> = {};
  // Batches close by count, never by a deadline, so that the same file gives the same bytes.
  const options = { ...config.infer, batch: { ...config.infer.batch, deadlineMs: Number.POSITIVE_INFINITY } };
  const stage = new InferStage(model, options, {
    frames: (scored) => void frames.push(...scored),
    activations: () => {},
    dropped: (_, crops) => {
      cropDrops.inference_overload = (cropDrops.inference_overload ?? 0) + crops;
    },
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
      status: ({ epoch, drops }) => {
        if (epoch !== null) cameraDrops = drops;
      },
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
  // A table holds every frame: of a file nothing may be left out, also not by `analysisFps`.
  const { masked: _, ...left } = { ...cameraDrops, ...cropDrops } as Record<string, number>;
  const drops = Object.fromEntries(Object.entries(left).filter(([, count]) => count > 0));
  return { frames, analysed, drops, failure };
}
