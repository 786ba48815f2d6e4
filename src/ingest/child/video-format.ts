import type { I420Image } from '../../domain/frame.ts';

/** Size, frame rate and colorimetry of decoded I420 video, as its caps declare them. */
export interface VideoFormat {
  readonly width: number;
  readonly height: number;
  /** Declared frames per second; null if the stream declares none. */
  readonly fps: number | null;
  readonly matrix: I420Image['matrix'];
  readonly fullRange: boolean;
}

type Colorimetry = Pick<VideoFormat, 'matrix' | 'fullRange'>;

const NAMED_COLORIMETRY: ReadonlyMap<string, Colorimetry> = new Map(
  Object.entries({
    bt601: { matrix: 'bt601', fullRange: false },
    bt709: { matrix: 'bt709', fullRange: false },
    smpte240m: { matrix: 'bt709', fullRange: false },
    bt2020: { matrix: 'bt709', fullRange: false },
    sRGB: { matrix: 'bt601', fullRange: true },
  }),
);

/** GstVideoColorMatrix: 3 BT.709, 4 BT.601, 5 SMPTE 240M, 6 BT.2020 (its luma weights are closest to BT.709). */
const NUMBERED_MATRIX: ReadonlyMap<string, I420Image['matrix']> = new Map(
  Object.entries({
    2: 'bt601',
    3: 'bt709',
    4: 'bt601',
    5: 'bt709',
    6: 'bt709',
  }),
);

/** Far above any decoder's picture. */
const MAX_EDGE = 65_535;

/** Parses `video/x-raw` caps as text; null unless they are a complete I420 format. */
export function parseCaps(caps: string): VideoFormat | null {
  const field = (name: string) => new RegExp(`[ ,]${name}=\\(\\w+\\)"?([^,;"\\s]+)`).exec(caps)?.[1];
  const width = Number(field('width'));
  const height = Number(field('height'));
  if (field('format') !== 'I420' || !isEdge(width) || !isEdge(height)) return null;
  const [numerator, denominator] = (field('framerate') ?? '0/1').split('/').map(Number);
  const fps = numerator! / (denominator || 1);
  return {
    width,
    height,
    fps: fps > 0 && fps <= 1000 ? fps : null,
    ...parseColorimetry(field('colorimetry'), height),
  };
}

/** Parses `bt709` or numeric `range:matrix:transfer:primaries`; otherwise GStreamer's default for the height. */
function parseColorimetry(text: string | undefined, height: number): Colorimetry {
  const defaultMatrix = height > 576 ? 'bt709' : 'bt601';
  if (text === undefined) return { matrix: defaultMatrix, fullRange: false };
  const named = NAMED_COLORIMETRY.get(text.replace(/-.*/, ''));
  if (named) return named;
  const [range, matrix] = text.split(':');
  return { matrix: NUMBERED_MATRIX.get(matrix ?? '') ?? defaultMatrix, fullRange: range === '1' };
}

function isEdge(pixels: number): boolean {
  return Number.isInteger(pixels) && pixels > 0 && pixels <= MAX_EDGE;
}

/** True if frames of both formats have the same layout and colors; the declared rate may differ. */
export function samePicture(a: VideoFormat, b: VideoFormat): boolean {
  return a.width === b.width && a.height === b.height && a.matrix === b.matrix && a.fullRange === b.fullRange;
}
