import { z } from 'zod';
import { AU_NAMES, type AuName } from '../domain/scores.ts';

const thresholds = z.strictObject(
  Object.fromEntries(AU_NAMES.map((name) => [name, z.number().min(0).max(1).optional()])) as Record<
    AuName,
    z.ZodOptional<z.ZodNumber>
  >,
);

/**
 * Taps of the paper's Gaussian smoothing kernel (Vu et al. 2023, section 3.4): 51, from k = −25 to +25 frames. The
 * causal mode uses only the past half, k = 0 … 25, renormalised.
 */
const PAPER_KERNEL_TAPS = 51;
/** Standard deviation of the paper's Gaussian smoothing kernel, in frames (Vu et al. 2023, section 3.4). */
export const PAPER_SIGMA_FRAMES = 3;

/** Standard deviation of a Gaussian smoothing kernel, in frame intervals. */
export const sigma = z.number().positive().max(100);

export const inferOptions = z.strictObject({
  /** Folder of a model (model.json and weights). Default: the model that ships with austream. */
  model: z.string().optional(),
  /** New frames between two runs of the window encoder. */
  hop: z.number().int().min(1).max(256).default(16),
  engine: z.enum(['auto', 'onnx', 'tfjs']).default('auto'),
  device: z.enum(['auto', 'cpu', 'cuda', 'tensorrt', 'webgpu']).default('auto'),
  precision: z.enum(['auto', 'fp32', 'fp16', 'int8']).default('auto'),
  /** Threads of one operator; 0: one per core. */
  threads: z.number().int().min(0).max(256).default(0),
  batch: z
    .strictObject({
      /** Maximum number of crops in one run of the frame encoder. */
      max: z.number().int().min(1).max(1024).default(64),
      /** How long a crop waits for more crops to fill the batch. */
      deadlineMs: z.number().min(0).max(10_000).default(40),
    })
    .prefault({}),
  smoothing: z
    .strictObject({
      /** causal: the past half of the paper's kernel, no delay. centered: the paper's kernel, delayed by 25 frames. */
      mode: z.enum(['causal', 'centered', 'off']).default('causal'),
      /** Taps of the smoothing kernel, odd (paper: 51). */
      kernel: z.number().int().min(1).max(511).default(PAPER_KERNEL_TAPS),
      /** In frame intervals. Default: the model's own σ for this mode (paper: 3). */
      sigma: sigma.optional(),
    })
    .prefault({}),
  /** Per-AU thresholds that override the model's own (0.5). */
  thresholds: thresholds.prefault({}),
  /** When an AU counts as an activation (topic `activations`). */
  activations: z
    .strictObject({
      /** Shorter activations are not reported. */
      minSeconds: z.number().min(0).max(10).default(0.2),
      /** Hysteresis: an activation ends when the smoothed score falls below this share of the AU's threshold. */
      release: z.number().min(0).max(1).default(0.8),
    })
    .prefault({}),
  /**
   * Capacity of the inference queue in crops. When full, live cameras drop their oldest crops; files wait from half.
   */
  maxWaiting: z.number().int().min(1).max(100_000).default(512),
  /** A gap between two reliable crops of a track longer than this starts a new window. */
  gapSeconds: z.number().min(0.1).max(60).default(1),
});
export type InferOptions = z.output<typeof inferOptions>;
