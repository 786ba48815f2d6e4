import { z } from 'zod';
import { isOnvif, parseDeviceUrl } from '../onvif/address.ts';
import { cameraUrlMistake } from './redact.ts';

/** Ids go into topic keys and event ids, whose parts are joined by slashes. */
export const cameraId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'letters, digits, dot, dash and underscore, at most 64 of them',
  );

const cameraUrl = z.string().superRefine((url, context) => {
  const problem = /^(rtsps?|onvif|file|v4l2):\/\//.test(url)
    ? (cameraUrlMistake(url) ?? (isOnvif(url) && parseDeviceUrl(url)))
    : 'must begin with rtsp://, rtsps://, onvif://, file:// or v4l2://';
  if (typeof problem === 'string') context.addIssue({ code: 'custom', message: problem });
});

export const cameraOptions = z.strictObject({
  id: cameraId,
  url: cameraUrl,
  /** Kept apart from the URL so that the URL can be shown; a user:password in the URL works too. */
  username: z.string().min(1).optional(),
  password: z.string().optional(),
  /** A file that holds the password, read at each connection. */
  passwordFile: z.string().min(1).optional(),
  /** For rtsps://. Without either, the certificate must come from an authority that this machine trusts. */
  tls: z
    .strictObject({
      /** A file with the certificates (PEM) of the authorities to trust instead. */
      ca: z.string().min(1).optional(),
      /** SHA-256 of the camera's own certificate; then nothing else about it matters. */
      fingerprint: z
        .string()
        .regex(/^([0-9A-Fa-f]{2}:?){32}$/, 'must be 32 bytes in hexadecimal, with or without colons')
        .optional(),
    })
    .prefault({}),
  /** RTP over the RTSP connection (tcp) or beside it (udp). */
  transport: z.enum(['tcp', 'udp']).default('tcp'),
  /** Frames analysed a second; a faster stream is thinned, a slower one taken whole. */
  analysisFps: z.number().min(1).max(120).default(30),
  /** auto probes NVDEC and VA-API and falls back to software. */
  decoder: z.enum(['auto', 'software', 'nvdec', 'vaapi']).default('auto'),
});
export type CameraOptions = z.output<typeof cameraOptions>;

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
