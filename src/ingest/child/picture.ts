import type { I420Image } from '../../domain/frame.ts';

/** How GStreamer lays out an I420 picture without padding of its own, and how its values are meant. */
export interface PictureFormat {
  readonly width: number;
  readonly height: number;
  /** Declared frames a second; null where the stream declares none. */
  readonly fps: number | null;
  readonly matrix: I420Image['matrix'];
  readonly fullRange: boolean;
}

const NAMED_COLORIMETRY: Record<string, Pick<PictureFormat, 'matrix' | 'fullRange'>> = {
  bt601: { matrix: 'bt601', fullRange: false },
  bt709: { matrix: 'bt709', fullRange: false },
  smpte240m: { matrix: 'bt709', fullRange: false },
  bt2020: { matrix: 'bt709', fullRange: false },
  sRGB: { matrix: 'bt601', fullRange: true },
};

/** GstVideoColorMatrix: 3 BT.709, 4 BT.601, 5 SMPTE 240M, 6 BT.2020 (whose luma lies nearer to BT.709). */
const NUMBERED_MATRIX: Record<string, I420Image['matrix']> = {
  2: 'bt601',
  3: 'bt709',
  4: 'bt601',
  5: 'bt709',
  6: 'bt709',
};

/** Reads the text of `video/x-raw` caps; null where it is not a complete I420 format. */
export function parseCaps(caps: string): PictureFormat | null {
  const field = (name: string) => new RegExp(`[ ,]${name}=\\(\\w+\\)"?([^,;"\\s]+)`).exec(caps)?.[1];
  const width = Number(field('width'));
  const height = Number(field('height'));
  if (field('format') !== 'I420' || !(width > 0) || !(height > 0)) return null;
  const [numerator, denominator] = (field('framerate') ?? '0/1').split('/').map(Number);
  const fps = numerator! / (denominator || 1);
  return {
    width,
    height,
    fps: fps > 0 && fps <= 1000 ? fps : null,
    ...colorimetry(field('colorimetry'), height),
  };
}

/** `bt709`, or `range:matrix:transfer:primaries` in numbers; without either, what GStreamer assumes. */
function colorimetry(text: string | undefined, height: number): Pick<PictureFormat, 'matrix' | 'fullRange'> {
  const guess = height > 576 ? 'bt709' : 'bt601';
  if (text === undefined) return { matrix: guess, fullRange: false };
  const named = NAMED_COLORIMETRY[text.replace(/-.*/, '')];
  if (named) return named;
  const [range, matrix] = text.split(':');
  return { matrix: NUMBERED_MATRIX[matrix ?? ''] ?? guess, fullRange: range === '1' };
}

const roundUp = (value: number, multiple: number) => Math.ceil(value / multiple) * multiple;

/** Bytes of a whole picture of this format. */
export function pictureBytes(format: PictureFormat): number {
  const { strideY, strideC, rowsY, rowsC } = layout(format);
  return strideY * rowsY + 2 * strideC * rowsC;
}

/** Views of the planes in `bytes`; null where their number does not fit the format. */
export function viewI420(bytes: Uint8Array, format: PictureFormat): I420Image | null {
  const { strideY, strideC, rowsY, rowsC } = layout(format);
  const sizeY = strideY * rowsY;
  const sizeC = strideC * rowsC;
  if (bytes.byteLength !== sizeY + 2 * sizeC) return null;
  return {
    width: format.width,
    height: format.height,
    y: bytes.subarray(0, sizeY),
    u: bytes.subarray(sizeY, sizeY + sizeC),
    v: bytes.subarray(sizeY + sizeC),
    strideY,
    strideC,
    fullRange: format.fullRange,
    matrix: format.matrix,
  };
}

/**
 * Gives the memory back at once that `bytes` (or a picture's plane) lies in, for which nobody has a use any more. Left
 * to the garbage collector, megabytes a frame make it run all the time, which costs as much as half the decoding.
 */
export function release({ buffer }: Uint8Array): void {
  // Small buffers share their memory.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}

function layout({ width, height }: PictureFormat) {
  return {
    strideY: roundUp(width, 4),
    strideC: roundUp(roundUp(width, 2) / 2, 4),
    rowsY: roundUp(height, 2),
    rowsC: roundUp(height, 2) / 2,
  };
}
