import type { ModelStamp } from '../../domain/event.ts';

/** Which engine a model runs on, and why. */
export interface EngineChoice {
  readonly engine: 'onnx' | 'tfjs';
  /** onnx: cpu, cuda, tensorrt, webgpu; tfjs: its backend. */
  readonly device: string;
  readonly precision: 'fp32' | 'fp16' | 'int8';
  readonly why: string;
}

/** The two numeric calls of a model. Calls may overlap; each returns its own memory. */
export interface Engine {
  /** RGB crops (n, 112, 112, 3) → embeddings (n, D). */
  encode(crops: Uint8Array, n: number): Promise<Float32Array>;
  /** Windows (n, 256, D) → the ensemble's sigmoid scores (n, 256, 12). */
  score(windows: Float32Array, n: number): Promise<Float32Array>;
  /** The same scores of each window's newest `hop` frames only, in less time: (n, hop, 12). */
  scoreNewest(windows: Float32Array, n: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** A model on an engine. Everything numeric hides behind its calls. */
export interface AuModel extends Engine {
  readonly stamp: ModelStamp;
  readonly choice: EngineChoice;
  /** The model's own, (12). */
  readonly thresholds: Float32Array;
  /** σ of the smoothing that suits its scores, in nominal frames. */
  readonly sigma: Readonly<Record<'causal' | 'centered', number>>;
  /** What the model's evaluation says each AU's score is worth, (12); null: unknown. */
  readonly reliability: Float32Array | null;
  /** D: all members' embeddings, concatenated. */
  readonly embeddingSize: number;
  readonly windowSize: number;
  /** Frames that `scoreNewest` scores. */
  readonly hop: number;
}

/** Told while graphs are built: bytes of weights done, and of how many. */
export type Progress = (what: string, done: number, of: number) => void;
