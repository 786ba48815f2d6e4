import { z } from 'zod';

export const ingestOptions = z.strictObject({
  /** A camera without a decoded frame for this long is STALLED and restarted. */
  stallSeconds: z.number().min(1).max(300).default(5),
  /** A camera without a first frame this long after connecting is restarted. */
  connectSeconds: z.number().min(1).max(300).default(15),
  /** Full-jitter exponential backoff between restarts, reset by the first decoded frame. */
  backoff: z
    .strictObject({
      firstSeconds: z.number().min(0.05).max(60).default(0.5),
      maxSeconds: z.number().min(1).max(3600).default(8),
      /** After this many restarts within an hour, restarts wait `exhaustedSeconds`; they never stop. */
      budgetPerHour: z.number().int().min(1).max(100_000).default(720),
      exhaustedSeconds: z.number().min(1).max(3600).default(60),
    })
    .prefault({}),
  /**
   * The camera's own clock (RTCP sender reports) gives the capture time if its clock error is at most this; 0 disables
   * it.
   */
  maxClockErrorSeconds: z.number().min(0).max(1e9).default(5),
  /**
   * Maximum age: crops that reach the host later than this after their frame was decoded are dropped, and a camera
   * whose decoding falls behind by more is reconnected.
   */
  maxAgeSeconds: z.number().min(0.5).max(300).default(5),
  /** A camera process whose resident memory exceeds this is restarted. */
  childMemoryMb: z.number().int().min(128).max(1_048_576).default(2_048),
  /**
   * Sandbox of the camera processes. `auto`: what this system has; `required`: refuse to start without Landlock and
   * seccomp; `off`: none.
   */
  sandbox: z.enum(['auto', 'required', 'off']).default('auto'),
  /** Maximum number of live cameras in this process; null measures how many this machine can run. */
  maxCameras: z.number().int().min(1).max(100_000).nullable().default(null),
  /**
   * Admission control with `maxCameras: null`: another camera is refused if all of them, with every frame analysed,
   * would need more than this many times the machine's cores. Up to 1 no frame is shed; at 2 every second frame may be.
   */
  cpuBudget: z.number().min(0.01).max(100).default(2),
  /** Gaps in a camera's frames longer than this are reported. */
  gapSeconds: z.number().min(0.1).max(60).default(1),
  /** Interval at which an unchanged CameraStatus is repeated. */
  statusSeconds: z.number().min(1).max(3600).default(10),
});
export type IngestOptions = z.output<typeof ingestOptions>;
