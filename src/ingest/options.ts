import { z } from 'zod';

export const ingestOptions = z.strictObject({
  /** A camera that gives no decoded frame for this long is STALLED and restarted. */
  stallSeconds: z.number().min(1).max(300).default(5),
  /** A camera that gives no first frame for this long after connecting is restarted. */
  connectSeconds: z.number().min(1).max(300).default(15),
  /** Full-jitter exponential backoff between restarts, reset by the first decoded frame. */
  backoff: z
    .strictObject({
      firstSeconds: z.number().min(0.05).max(60).default(0.5),
      maxSeconds: z.number().min(1).max(3600).default(8),
      /** After so many restarts within an hour, waits grow to `exhaustedSeconds`; it never gives up. */
      budgetPerHour: z.number().int().min(1).max(100_000).default(720),
      exhaustedSeconds: z.number().min(1).max(3600).default(60),
    })
    .prefault({}),
  /**
   * A camera's own clock (RTCP sender reports) gives the capture time unless it differs from this host's by more;
   * 0 never uses it.
   */
  maxClockErrorSeconds: z.number().min(0).max(1e9).default(5),
  /**
   * Hard bound on age: crops that reach the host later than this after their frame was decoded are dropped, and a
   * camera whose decoding falls behind by more is connected anew.
   */
  maxAgeSeconds: z.number().min(0.5).max(300).default(5),
  /** A camera child that grows beyond this is restarted. */
  childMemoryMb: z.number().int().min(128).max(1_048_576).default(2_048),
  /** Most live cameras that run here; null measures how many this machine bears. */
  maxCameras: z.number().int().min(1).max(100_000).nullable().default(null),
  /**
   * While cameras are measured: a further one is refused when all of them together, with every frame analysed, would
   * need more than so many times the cores that there are. Up to 1 no frame is shed; 2 means every second one may be.
   */
  cpuBudget: z.number().min(0.01).max(100).default(2),
  /** Holes in a camera's data longer than this are gap events. */
  gapSeconds: z.number().min(0.1).max(60).default(1),
  /** How often CameraStatus is repeated while nothing changes. */
  statusSeconds: z.number().min(1).max(3600).default(10),
});
export type IngestOptions = z.output<typeof ingestOptions>;
