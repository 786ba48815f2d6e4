import { AU_COUNT, AU_NAMES, type AuName } from '../../domain/scores.ts';
import { AustreamError } from '../../errors.ts';
import { log } from '../../log.ts';
import { type Architecture, embeddingSize, WINDOW_SIZE } from '../model/architecture.ts';
import type { Weights } from '../model/ops.ts';
import { type InferOptions, PAPER_SIGMA_FRAMES } from '../options.ts';
import { Checkpoint } from '../weights/checkpoint.ts';
import { readManifest } from '../weights/manifest.ts';
import { engineCandidates } from './candidates.ts';
import type { AuModel, Engine, EngineChoice, Progress } from './model.ts';
import { OnnxEngine } from './onnx/engine.ts';
import type { OnnxDevice } from './onnx/session.ts';
import { terminalProgress } from './progress.ts';
import type { TfjsBackend } from './tfjs/backend.ts';
import { TfjsEngine } from './tfjs/engine.ts';

export type { AuModel, EngineChoice } from './model.ts';

/** The inference options that decide how a model is opened. */
export type ModelOptions = Pick<
  InferOptions,
  'model' | 'hop' | 'engine' | 'device' | 'precision' | 'threads'
>;

/**
 * Opens a model on the first engine candidate that works, and logs which one and why.
 *
 * Throws MODEL_NOT_FOUND or MODEL_INVALID if weights are missing or contradict model.json, ENGINE_UNAVAILABLE if the
 * host lacks the engine or device. On an error nothing stays open.
 */
export async function openModel(
  options: ModelOptions,
  progress: Progress | undefined = terminalProgress(),
): Promise<AuModel> {
  const manifest = readManifest(options.model);
  const candidates = engineCandidates(options);
  const checkpoint = await Checkpoint.open(manifest);
  const { engine, choice } = await openFirstCandidate(candidates, (choice) =>
    openEngine(manifest.architecture, checkpoint, choice, options, progress),
  ).catch((error) => {
    checkpoint.close();
    throw error;
  });
  const { name, version, trained } = manifest;
  const { engine: kind, device, precision, why } = choice;
  log.info({ model: `${name} ${version}`, engine: kind, device, precision, why }, 'model loaded');
  if (!trained) log.warn({ model: name }, 'the weights are random: scores are meaningless');
  return {
    stamp: { name, version, sha256: checkpoint.sha256, trained },
    choice,
    thresholds: perAu(manifest.thresholds) ?? new Float32Array(AU_COUNT).fill(0.5),
    sigma: manifest.smoothing ?? { causal: PAPER_SIGMA_FRAMES, centered: PAPER_SIGMA_FRAMES },
    reliability: perAu(manifest.reliability),
    embeddingSize: embeddingSize(manifest.architecture),
    windowSize: WINDOW_SIZE,
    hop: options.hop,
    encode: (crops, n) => engine.encode(crops, n),
    score: (windows, n) => engine.score(windows, n),
    scoreNewest: (windows, n) => engine.scoreNewest(windows, n),
    close: async () => {
      await engine.close();
      checkpoint.close();
    },
  };
}

/** Falls back to the next candidate if one fails to open. Throws ENGINE_UNAVAILABLE if the last one fails. */
async function openFirstCandidate(
  candidates: readonly EngineChoice[],
  open: (choice: EngineChoice) => Promise<Engine>,
): Promise<{ engine: Engine; choice: EngineChoice }> {
  for (const [index, choice] of candidates.entries()) {
    try {
      return { engine: await open(choice), choice };
    } catch (cause) {
      // MODEL_INVALID: bad weights fail on every engine.
      if (cause instanceof AustreamError) throw cause;
      const { engine, device } = choice;
      const message = `${engine} on ${device} failed to open: ${(cause as Error).message}`;
      if (index === candidates.length - 1)
        throw new AustreamError('ENGINE_UNAVAILABLE', message, {
          fix: 'use engine: auto and device: auto; run austream doctor to see the backends of this host',
          cause,
        });
      log.warn(message);
    }
  }
  throw new Error('no engine candidates');
}

/** Opens one engine, without fallback. */
export function openEngine(
  net: Architecture,
  weights: Weights,
  choice: EngineChoice,
  { hop, threads }: Pick<ModelOptions, 'hop' | 'threads'>,
  progress: Progress | undefined,
): Promise<Engine> {
  const { device, precision } = choice;
  if (choice.engine === 'tfjs')
    return TfjsEngine.open(net, weights, { backend: device as TfjsBackend, threads, hop });
  return OnnxEngine.open(net, weights, {
    device: device as OnnxDevice,
    precision,
    hop,
    threads,
    progress,
  });
}

function perAu(values: Readonly<Record<AuName, number>> | undefined): Float32Array | null {
  return values ? Float32Array.from(AU_NAMES, (name) => values[name]) : null;
}
