import type { FaceStamp } from './face.ts';

/** The FACS Action Units of the paper (Vu et al. 2023, section 4.1), in the order of every score vector. */
export const ACTION_UNITS = [1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26] as const;
export const AU_COUNT = ACTION_UNITS.length;

/** Field names of the AUs in events: `au01` … `au26`. */
export const AU_NAMES = [
  'au01',
  'au02',
  'au04',
  'au06',
  'au07',
  'au10',
  'au12',
  'au15',
  'au23',
  'au24',
  'au25',
  'au26',
] as const;
export type AuName = (typeof AU_NAMES)[number];

/** The window of one track's frame embeddings, input of the window encoders. */
export interface CropWindow {
  /** The newest crops, oldest first, to be scored with this window (at most `hop`). */
  readonly faces: readonly FaceStamp[];
  /** (256, D) row-major: one embedding per frame, edge-padded on the left while fewer exist. */
  readonly embeddings: Float32Array;
  /** Fewer than 256 real frames. */
  readonly warmup: boolean;
}

/** The ensemble's sigmoid scores of one face at one instant, in the order of `ACTION_UNITS`. */
export interface AuScores {
  readonly face: FaceStamp;
  readonly warmup: boolean;
  /** (12); null if the face is unreliable. */
  readonly raw: Float32Array | null;
}

export interface SmoothedScores extends AuScores {
  /** (12); null if and only if `raw` is null. */
  readonly smoothed: Float32Array | null;
}
