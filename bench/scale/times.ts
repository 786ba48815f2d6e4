/**
 * How long each stage works, in processor seconds of one core, measured by `node bench/scale.ts measure` and
 * `node bench/cluster-hop.ts`; see bench/RESULTS.md for where and when.
 */
export interface ServiceTimes {
  /** Camera child: taking one stream in, per decoded frame. */
  readonly decode: number;
  /** Camera child: finding, following and cutting out, per analysed frame, and per face in it. */
  readonly analyse: number;
  readonly analyseFace: number;
  /** Ingest host: gathering, encoding and producing, per crop. */
  readonly ingestCrop: number;
  /** Inference host: consuming, decoding, publishing, per crop; beside the device, where that is a GPU. */
  readonly inferCrop: number;
  /** Frame encoder: seconds of the device per run, and per crop in it. */
  readonly encodeRun: number;
  readonly encodeCrop: number;
  /** Window encoders: per run, and per window in it. */
  readonly scoreRun: number;
  readonly scoreWindow: number;
  /** From handing a record to Kafka to a consumer's having it, and from beginning a transaction to its end. */
  readonly produce: number;
  readonly transaction: number;
}

export interface Deployment {
  readonly cameras: number;
  readonly facesPerCamera: number;
  /** Frames a second that cameras send, and that are analysed. */
  readonly cameraFps: number;
  readonly fps: number;
  readonly hop: number;
  readonly ingestWorkers: number;
  readonly ingestCores: number;
  /** One device each. */
  readonly inferWorkers: number;
  readonly partitions: number;
  readonly batchMax: number;
  readonly batchDeadline: number;
  readonly commitEvery: number;
}

/** 112×112 RGB and what a record adds, per crop (bytes). */
export const CROP_RECORD_BYTES = 37_632 + 90;
/** An AuFrame with its share of state and activations, compressed (bytes). */
export const EVENT_BYTES = 450;
