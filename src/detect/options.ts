import { z } from 'zod';

export const detectOptions = z.strictObject({
  /** Detector score from which a new track may start. */
  minScore: z.number().min(0).max(1).default(0.6),
  /** Height of the smallest face to detect, in source pixels. */
  minFaceHeight: z.number().int().min(16).max(1000).default(32),
  /** A tracked face at rest is measured in one of this many analysed frames; the Kalman filter predicts it in between. */
  every: z.number().int().min(1).max(30).default(1),
  /**
   * The whole frame is scanned for new faces once per this many seconds. Regions that have not changed are skipped; of
   * regions in which only tracked heads move, up to twelve consecutive scans are skipped.
   */
  scanSeconds: z.number().min(0.1).max(10).default(1),
  /** A track without a measurement for this long ends. */
  lostSeconds: z.number().min(0.1).max(10).default(1),
  /** Maximum number of faces tracked at once per camera. */
  maxFaces: z.number().int().min(1).max(64).default(16),
  /** A face outside these limits is published with null scores and the reason. Pixels, degrees, sharpness 0…1. */
  reliable: z
    .strictObject({
      minFaceHeight: z.number().min(0).default(32),
      maxYaw: z.number().min(0).max(90).default(50),
      maxPitch: z.number().min(0).max(90).default(40),
      minSharpness: z.number().min(0).max(1).default(0.05),
    })
    .prefault({}),
});
export type DetectOptions = z.output<typeof detectOptions>;
