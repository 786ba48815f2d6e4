import { AustreamError } from '../errors.ts';

/** One of a device's streams, as its media service lists it. */
export interface MediaProfile {
  readonly token: string;
  readonly name: string;
  /** Null where austream cannot use it. */
  readonly codec: 'h264' | 'h265' | 'mjpeg' | null;
  readonly width: number | null;
  readonly height: number | null;
}

const CODECS: Readonly<Record<string, MediaProfile['codec']>> = { h264: 'h264', h265: 'h265', jpeg: 'mjpeg' };
/** Which one is taken where pictures are of equal size: what decodes cheapest with the least data. */
const BY_CODEC = ['h264', 'h265', 'mjpeg'] as const;
/** Faces are cropped to 112×112: more pixels than these cost decoding and show nothing more of faces near enough. */
const MOST_PIXELS = 1920 * 1088;
const LONGEST_NAME = 64;

/** Reads profiles as the ONVIF library gives them; a device may have sent anything. */
export function readProfiles(given: unknown): MediaProfile[] {
  return (Array.isArray(given) ? given : [given]).flatMap((profile) => {
    const token = field(profile, '$', 'token');
    if (token === undefined) return [];
    const encoder = field(profile, 'videoEncoderConfiguration');
    const encoding = String(field(encoder, 'encoding') ?? '').toLowerCase();
    return {
      token: String(token),
      name: printable(field(profile, 'name') ?? token),
      codec: CODECS[encoding] ?? null,
      width: pixels(field(encoder, 'resolution', 'width')),
      height: pixels(field(encoder, 'resolution', 'height')),
    };
  });
}

/**
 * The profile of this token or name. Without one: of those in H.264, H.265 or MJPEG the largest up to 1920×1080; where
 * all are larger the smallest; where sizes are equal or unknown H.264 first, then the device's order.
 * Throws CAMERA_NOT_FOUND, CAMERA_NO_VIDEO.
 */
export function chooseProfile(profiles: readonly MediaProfile[], wanted: string | undefined): MediaProfile {
  const usable = profiles.filter(({ codec }) => codec !== null);
  const names = usable.map(describeProfile).join(', ');
  if (wanted !== undefined) {
    const found =
      profiles.find(({ token }) => token === wanted) ?? profiles.find(({ name }) => name === wanted);
    if (!found)
      throw new AustreamError('CAMERA_NOT_FOUND', `the device has no media profile ${wanted}`, {
        fix: usable.length > 0 ? `it has ${names}` : 'it has none with video that austream can decode',
      });
    if (found.codec === null)
      throw new AustreamError('CAMERA_NO_VIDEO', `the media profile ${wanted} has no H.264, H.265 or MJPEG`, {
        fix: usable.length > 0 ? `take one of ${names}` : 'set the camera to H.264',
      });
    return found;
  }
  const [best] = usable.toSorted(
    (a, b) => rank(b) - rank(a) || BY_CODEC.indexOf(a.codec!) - BY_CODEC.indexOf(b.codec!),
  );
  if (!best)
    throw new AustreamError('CAMERA_NO_VIDEO', 'the device has no media profile in H.264, H.265 or MJPEG', {
      fix: 'make one in the camera’s settings, or give the rtsp:// address itself',
    });
  return best;
}

/** `main (1920×1080 h264)`. */
export function describeProfile({ name, codec, width, height }: MediaProfile): string {
  const size = width === null || height === null ? '' : `${width}×${height} `;
  return `${name} (${size}${codec ?? 'no video'})`;
}

/** Greater is better: sizes up to the limit, then larger ones from the smallest on, then unknown ones. */
function rank({ width, height }: MediaProfile): number {
  if (width === null || height === null) return Number.NEGATIVE_INFINITY;
  const size = width * height;
  return size <= MOST_PIXELS ? size : -size;
}

/** A device's text, fit to be shown: one short line without control characters. */
export function printable(value: unknown): string {
  const text = typeof value === 'object' ? (field(value, '_') ?? '') : value;
  return String(text)
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .slice(0, LONGEST_NAME);
}

function pixels(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 100_000 ? value : null;
}

/** A value within parsed XML, of which nothing is known. */
export function field(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name)
        ? (inner as Record<string, unknown>)[name]
        : undefined,
    value,
  );
}
