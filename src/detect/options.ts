import { z } from 'zod';

export const detectOptions = z.strictObject({
  /** Detector score from which a new track may begin. */
  minScore: z.number().min(0).max(1).default(0.6),
  /** Smallest face searched for, in source pixels of height. */
  minFaceHeight: z.number().int().min(16).max(1000).default(32),
  /** A tracked face at rest is measured again every so many analysed frames; the Kalman filter carries it between. */
  every: z.number().int().min(1).max(30).default(1),
  /**
   * The whole frame is searched for new faces at least this often, but for parts that show what they showed before;
   * where only the head of a followed face moves, every twelfth time.
   */
  scanSeconds: z.number().min(0.1).max(10).default(1),
  /** A track without a detection for this long is over. */
  lostSeconds: z.number().min(0.1).max(10).default(1),
  /** Most faces followed at once in one camera. */
  maxFaces: z.number().int().min(1).max(64).default(16),
  /** Below these a face is published with null scores and the reason. */
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
