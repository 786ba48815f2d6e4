import { AustreamError } from '../errors.ts';
import { printable } from '../printable.ts';

/** A stream of a device, as its media service lists it. */
export interface MediaProfile {
  readonly token: string;
  readonly name: string;
  /** Null for codecs that austream cannot decode. */
  readonly codec: 'h264' | 'h265' | 'mjpeg' | null;
  readonly width: number | null;
  readonly height: number | null;
}

const CODECS: ReadonlyMap<string, MediaProfile['codec']> = new Map([
  ['h264', 'h264'],
  ['h265', 'h265'],
  ['jpeg', 'mjpeg'],
]);
/** Preference among profiles of the same size: low decoding cost first, then low bandwidth. */
const CODEC_PREFERENCE = ['h264', 'h265', 'mjpeg'] as const;
/** Crops are 112×112: more pixels than 1080p cost decoding time and hardly add detail to them. */
const MAX_PIXELS = 1920 * 1088;
const MAX_NAME_LENGTH = 64;
const MAX_PRINTED_LENGTH = 1_024;
/** Profiles that are looked at; a recorder of 64 channels has some 200. */
const MAX_PROFILES = 512;
/** ONVIF's ReferenceToken has at most 64 characters. */
const MAX_TOKEN_LENGTH = 256;
/** Profiles that an error names. */
const MAX_LISTED = 16;

/** Parses profiles as the ONVIF library returns them. The input is not trusted: malformed profiles are skipped. */
export function parseProfiles(response: unknown): MediaProfile[] {
  return (Array.isArray(response) ? response : [response]).slice(0, MAX_PROFILES).flatMap((profile) => {
    const token = scalar(field(profile, '$', 'token'));
    if (token === '' || token.length > MAX_TOKEN_LENGTH) return [];
    const encoder = field(profile, 'videoEncoderConfiguration');
    const encoding = scalar(field(encoder, 'encoding')).toLowerCase();
    return {
      token,
      name: deviceText(field(profile, 'name') ?? token),
      codec: CODECS.get(encoding) ?? null,
      width: pixels(field(encoder, 'resolution', 'width')),
      height: pixels(field(encoder, 'resolution', 'height')),
    };
  });
}

/**
 * Chooses the profile with the token or name `wanted`. Without it, chooses among those in H.264, H.265 or MJPEG the
 * largest up to 1920×1080, or the smallest if all are larger; at equal or unknown size H.264 first, then the device's
 * order. Throws CAMERA_NOT_FOUND, CAMERA_NO_VIDEO.
 */
export function chooseProfile(profiles: readonly MediaProfile[], wanted: string | undefined): MediaProfile {
  const usable = profiles.filter(({ codec }) => codec !== null);
  const names = usable.slice(0, MAX_LISTED).map(describeProfile).join(', ');
  if (wanted !== undefined) {
    const found =
      profiles.find(({ token }) => token === wanted) ?? profiles.find(({ name }) => name === wanted);
    if (!found)
      throw new AustreamError('CAMERA_NOT_FOUND', `the device has no media profile ${wanted}`, {
        fix:
          usable.length > 0
            ? `use one of ${names}`
            : 'it has none in H.264, H.265 or MJPEG; set the camera to H.264',
      });
    if (found.codec === null)
      throw new AustreamError(
        'CAMERA_NO_VIDEO',
        `the media profile ${wanted} has no H.264, H.265 or MJPEG video`,
        {
          fix: usable.length > 0 ? `use one of ${names}` : 'set the camera to H.264',
        },
      );
    return found;
  }
  const [best] = usable.toSorted(
    (a, b) =>
      sizeRank(b) - sizeRank(a) || CODEC_PREFERENCE.indexOf(a.codec!) - CODEC_PREFERENCE.indexOf(b.codec!),
  );
  if (!best)
    throw new AustreamError('CAMERA_NO_VIDEO', 'the device has no media profile in H.264, H.265 or MJPEG', {
      fix: 'add one in the camera’s settings, or use the camera’s rtsp:// URL',
    });
  return best;
}

/** `main (1920×1080 h264)`. */
export function describeProfile({ name, codec, width, height }: MediaProfile): string {
  const size = width === null || height === null ? '' : `${width}×${height} `;
  return `${name} (${size}${codec ?? 'no video'})`;
}

/** Higher is better: the largest size up to the limit first, then the smallest above it, then unknown sizes. */
function sizeRank({ width, height }: MediaProfile): number {
  if (width === null || height === null) return Number.NEGATIVE_INFINITY;
  const size = width * height;
  return size <= MAX_PIXELS ? size : -size;
}

/** A device's text as one short line that is safe to print. */
export function deviceText(value: unknown): string {
  return printable(scalar(value).slice(0, MAX_PRINTED_LENGTH), MAX_NAME_LENGTH);
}

function pixels(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 100_000 ? value : null;
}

/**
 * A text, number or boolean inside parsed XML as text; that of an element with attributes; otherwise empty. Never
 * `String(value)`: an element may be named toString.
 */
function scalar(value: unknown): string {
  const inner = typeof value === 'object' ? field(value, '_') : value;
  return ['string', 'number', 'boolean'].includes(typeof inner) ? String(inner) : '';
}

/** A value inside parsed XML that is not trusted; undefined if the path does not exist. */
export function field(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name)
        ? (inner as Record<string, unknown>)[name]
        : undefined,
    value,
  );
}
