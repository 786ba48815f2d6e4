import { z } from 'zod';
import { areaOptions } from './areas.ts';
import { cameraUrlIssue } from './credentials.ts';
import { identifier } from './identifier.ts';
import { isOnvif, parseDeviceUrl } from './onvif-address.ts';
import { scheduleOptions } from './schedule.ts';
import { hasSourceScheme } from './source-url.ts';

export const cameraId = identifier;

/** Characters of a URL, a path or a password. */
const MAX_LENGTH = 4_096;

/** Line breaks in RTSP and HTTP headers would begin another header (CWE-93). */
const oneLine = z
  .string()
  .max(MAX_LENGTH)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'must not contain line breaks or control characters');

const cameraUrl = oneLine.superRefine((url, context) => {
  const issue = hasSourceScheme(url)
    ? (cameraUrlIssue(url) ?? (isOnvif(url) && parseDeviceUrl(url)))
    : 'must begin with rtsp://, rtsps://, onvif://, file:// or v4l2://';
  if (typeof issue === 'string') context.addIssue({ code: 'custom', message: issue });
});

export const cameraOptions = z.strictObject({
  id: cameraId,
  url: cameraUrl,
  /** Credentials may also be part of the URL (user:password@). */
  username: oneLine.min(1).optional(),
  password: z.string().max(MAX_LENGTH).optional(),
  /** A file that holds the password, read at every connection. */
  passwordFile: z.string().min(1).max(MAX_LENGTH).optional(),
  /**
   * How the camera asks for the password: `digest` never sends the password itself; `auto` sends it (Basic) if the
   * camera offers nothing else.
   */
  auth: z.enum(['auto', 'digest']).default('auto'),
  /** For rtsps://. By default the certificate must be signed by an authority that this machine trusts. */
  tls: z
    .strictObject({
      /** PEM file with the certificates of the authorities to trust instead. */
      ca: z.string().min(1).max(MAX_LENGTH).optional(),
      /** SHA-256 fingerprint of the camera's certificate; replaces every other check. */
      fingerprint: z
        .string()
        .regex(/^([0-9A-Fa-f]{2}:?){32}$/, 'must be 32 bytes in hexadecimal, with or without colons')
        .optional(),
    })
    .prefault({}),
  /** RTP interleaved in the RTSP connection (tcp) or over UDP. */
  transport: z.enum(['tcp', 'udp']).default('tcp'),
  /** Maximum number of frames analysed per second. A faster stream is decimated. */
  analysisFps: z.number().min(1).max(120).default(30),
  /** `auto` probes NVDEC and VA-API and falls back to software decoding. */
  decoder: z.enum(['auto', 'software', 'nvdec', 'vaapi']).default('auto'),
  /** Hours in which the camera is watched; always by default. */
  schedule: scheduleOptions.optional(),
  /** True: the camera is not connected until this is changed, or an operator resumes it. */
  paused: z.boolean().optional(),
  /** Masks and zones of this camera's picture. */
  detect: areaOptions.optional(),
});
export type CameraOptions = z.output<typeof cameraOptions>;
