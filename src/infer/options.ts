import { z } from 'zod';
import { AU_NAMES, type AuName } from '../domain/scores.ts';

const thresholds = z.strictObject(
  Object.fromEntries(AU_NAMES.map((name) => [name, z.number().min(0).max(1).optional()])) as Record<
    AuName,
    z.ZodOptional<z.ZodNumber>
  >,
);

/** Of the smoothing's Gaussian, in nominal frames. */
export const sigma = z.number().positive().max(100);

export const inferOptions = z.strictObject({
  /** Folder of a model (model.json and weights); without one, the default model that ships. */
  model: z.string().optional(),
  /** Crops between two runs of the window encoder. */
  hop: z.number().int().min(1).max(256).default(16),
  engine: z.enum(['auto', 'onnx', 'tfjs']).default('auto'),
  device: z.enum(['auto', 'cpu', 'cuda', 'tensorrt', 'webgpu']).default('auto'),
  precision: z.enum(['auto', 'fp32', 'fp16', 'int8']).default('auto'),
  /** Threads of one operator; 0 takes one per core. */
  threads: z.number().int().min(0).max(256).default(0),
  batch: z
    .strictObject({
      /** Most crops in one run of the frame encoder. */
      max: z.number().int().min(1).max(1024).default(64),
      /** Longest wait of a crop for company. */
      deadlineMs: z.number().min(0).max(10_000).default(40),
    })
    .prefault({}),
  smoothing: z
    .strictObject({
      /** causal: the past half of the paper's kernel, no delay; centered: the paper's own, 25 frames late. */
      mode: z.enum(['causal', 'centered', 'off']).default('causal'),
      /** Taps, odd (paper: 51). */
      kernel: z.number().int().min(1).max(511).default(51),
      /** In nominal frames; without one, the model's own for this mode (paper: 3). */
      sigma: sigma.optional(),
    })
    .prefault({}),
  /** Overrides of the model's own thresholds (0.5), per AU. */
  thresholds: thresholds.prefault({}),
  /** When an AU counts as an activation of its own (topic `activations`). */
  activations: z
    .strictObject({
      /** Shorter ones are not reported. */
      minSeconds: z.number().min(0).max(10).default(0.2),
      /** An activation ends when the smoothed score falls below this share of the AU's threshold. */
      release: z.number().min(0).max(1).default(0.8),
    })
    .prefault({}),
  /** Crops that may wait for the model; beyond them live cameras lose their oldest. Files wait from half of them on. */
  maxWaiting: z.number().int().min(1).max(100_000).default(512),
  /** A hole between two reliable crops of a track longer than this starts a new window. */
  gapSeconds: z.number().min(0.1).max(60).default(1),
});
export type InferOptions = z.output<typeof inferOptions>;
