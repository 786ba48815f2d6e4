import { z } from 'zod';
import { cameraUrlIssue } from './credentials.ts';
import { isOnvif, parseDeviceUrl } from './onvif-address.ts';

/** Ids go into topic keys and event ids, whose parts are joined by slashes. */
export const cameraId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'letters, digits, dot, dash and underscore, at most 64 of them',
  );

const cameraUrl = z.string().superRefine((url, context) => {
  const problem = /^(rtsps?|onvif|file|v4l2):\/\//.test(url)
    ? (cameraUrlIssue(url) ?? (isOnvif(url) && parseDeviceUrl(url)))
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
