/**
 * Service times of the stages, in CPU seconds of one core, measured with `node bench/scale.ts measure` and
 * `node bench/cluster-hop.ts` (bench/RESULTS.md names machine and date).
 */
export interface ServiceTimes {
  /** Camera process: receiving and decoding a stream, per decoded frame. */
  readonly decode: number;
  /** Camera process: detection, tracking and cropping, per analysed frame, and per face in it. */
  readonly analyse: number;
  readonly analyseFace: number;
  /** Ingest host: batching, encoding and producing, per crop. */
  readonly ingestCrop: number;
  /** Inference host: consuming, decoding and publishing, per crop, without the model. */
  readonly inferCrop: number;
  /** Frame encoder: device seconds per run, and per crop in it. */
  readonly encodeRun: number;
  readonly encodeCrop: number;
  /** Window encoders: device seconds per run, and per window in it. */
  readonly scoreRun: number;
  readonly scoreWindow: number;
  /** Delay from producing a record until a consumer has it, and duration of a transaction. */
  readonly produce: number;
  readonly transaction: number;
}

export interface Deployment {
  readonly cameras: number;
  readonly facesPerCamera: number;
  /** Frames per second sent by a camera, and analysed. */
  readonly cameraFps: number;
  readonly fps: number;
  readonly hop: number;
  readonly ingestWorkers: number;
  readonly ingestCores: number;
  /** One device per worker. */
  readonly inferWorkers: number;
  readonly partitions: number;
  readonly batchMax: number;
  readonly batchDeadline: number;
  readonly commitEvery: number;
}

/** 112×112 RGB plus the record's overhead, bytes per crop. */
export const CROP_RECORD_BYTES = 37_632 + 90;
/** An AuFrame with its share of state and activations, compressed, bytes. */
export const EVENT_BYTES = 450;
