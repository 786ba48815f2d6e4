import type { I420Image } from '../../domain/frame.ts';
import type { VideoFormat } from './video-format.ts';

/**
 * Views the Y, U and V planes in `bytes`, laid out as GStreamer does by default (GstVideoInfo); null if the length
 * does not match the format.
 */
export function viewI420(bytes: Uint8Array, format: VideoFormat): I420Image | null {
  const { strideY, strideC, rowsY, rowsC } = planeLayout(format);
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
 * Frees the memory behind `bytes` (a buffer or a plane of it) at once; the caller must not use it again. Left to the
 * garbage collector, megabytes per frame keep it running, which costs as much as half the decoding.
 */
export function freeBuffer({ buffer }: Uint8Array): void {
  // Buffers up to the pool size share their memory with others.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}

function planeLayout({ width, height }: VideoFormat) {
  return {
    strideY: roundUp(width, 4),
    strideC: roundUp(roundUp(width, 2) / 2, 4),
    rowsY: roundUp(height, 2),
    rowsC: roundUp(height, 2) / 2,
  };
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
