import type { ModelStamp } from '../../domain/event.ts';

/** The engine that a model runs on, and why it was chosen. */
export interface EngineChoice {
  readonly engine: 'onnx' | 'tfjs';
  /** onnx: cpu, cuda, tensorrt or webgpu (execution provider). tfjs: gpu, node, wasm or cpu (backend). */
  readonly device: string;
  readonly precision: 'fp32' | 'fp16' | 'int8';
  readonly why: string;
}

/** Runs the encoders of a model. Calls may overlap; each returns its own memory. */
export interface Engine {
  /** Frame encoder: RGB crops (n, 112, 112, 3) → embeddings (n, D). */
  encode(crops: Uint8Array, n: number): Promise<Float32Array>;
  /** Window encoder: windows (n, 256, D) → the ensemble's sigmoid scores (n, 256, 12). */
  score(windows: Float32Array, n: number): Promise<Float32Array>;
  /** As `score`, only for the newest `hop` frames of each window, which is faster: (n, 256, D) → (n, hop, 12). */
  scoreNewest(windows: Float32Array, n: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** A model opened on an engine. */
export interface AuModel extends Engine {
  readonly stamp: ModelStamp;
  readonly choice: EngineChoice;
  /** Of model.json, (12), in the order of ACTION_UNITS; 0.5 if it has none. */
  readonly thresholds: Float32Array;
  /** σ of the smoothing kernel per mode, in frame intervals. */
  readonly sigma: Readonly<Record<'causal' | 'centered', number>>;
  /** Reliability of each AU's score in the model's evaluation, (12), 0 chance … 1 perfect; null: unknown. */
  readonly reliability: Float32Array | null;
  /** D: all members' embeddings, concatenated. */
  readonly embeddingSize: number;
  /** Frames per window: 256. */
  readonly windowSize: number;
  /** Frames that `scoreNewest` scores. */
  readonly hop: number;
}

/** Reports the progress of `task`: `done` of `total`, in any unit. */
export type Progress = (task: string, done: number, total: number) => void;
