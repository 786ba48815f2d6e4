import type { Box } from '../domain/face.ts';
import type { I420Image } from '../domain/frame.ts';
import type { Region } from './detections.ts';
import { intersectionArea } from './geometry.ts';

/** Edge of a block in detector input pixels; smaller than any face. */
const BLOCK_SIZE = 8;
/** Difference of a block's mean luma (0…255) that is more than noise. */
const CHANGE_THRESHOLD = 4;

/**
 * Mean luma per block of an upright region, read straight from the frame. Comparing two fingerprints detects change at
 * a hundredth of the cost of a detector run.
 */
export class RegionFingerprint {
  readonly #region: Region;
  /** (rows, columns) of blocks. */
  readonly #blockMeans: Uint8Array;

  constructor(image: I420Image, region: Region) {
    this.#region = region;
    this.#blockMeans = blockMeans(image, region);
  }

  /** Whether no block changed, apart from those that touch an `ignored` box (frame coordinates). */
  matches(earlier: RegionFingerprint, ignored: readonly Box[]): boolean {
    for (let i = 0; i < this.#blockMeans.length; i++) {
      const changed = Math.abs(this.#blockMeans[i]! - earlier.#blockMeans[i]!) >= CHANGE_THRESHOLD;
      if (changed && !ignored.some((box) => intersectionArea(box, this.#blockBox(i)) > 0)) return false;
    }
    return true;
  }

  /** Block `i` in frame coordinates. */
  #blockBox(i: number): Box {
    const { width, toFrame } = this.#region;
    const columns = width / BLOCK_SIZE;
    const side = BLOCK_SIZE * toFrame.a;
    return {
      x: (i % columns) * side + toFrame.tx,
      y: Math.floor(i / columns) * side + toFrame.ty,
      w: side,
      h: side,
    };
  }
}

/** Nearest-neighbour samples at every second row of detector input pixels; samples outside the frame clamp to its edge. */
function blockMeans({ y, strideY, width, height }: I420Image, region: Region): Uint8Array {
  const { toFrame } = region;
  const columns = samplePositions(region.width, toFrame.a, toFrame.tx, width);
  const rows = samplePositions(region.height, toFrame.a, toFrame.ty, height);
  const blocksPerRow = columns.length / BLOCK_SIZE;
  const means = new Uint8Array(blocksPerRow * (rows.length / BLOCK_SIZE));
  for (let top = 0, i = 0; top < rows.length; top += BLOCK_SIZE)
    for (let block = 0; block < blocksPerRow; block++, i++) {
      let sum = 0;
      for (let row = top; row < top + BLOCK_SIZE; row += 2) {
        const rowStart = rows[row]! * strideY;
        for (let column = block * BLOCK_SIZE, end = column + BLOCK_SIZE; column < end; column++)
          sum += y[rowStart + columns[column]!]!;
      }
      means[i] = sum / (BLOCK_SIZE ** 2 / 2) + 0.5;
    }
  return means;
}

/** Frame pixels (columns or rows, 0…`size` − 1) under the centres of `count` detector input pixels. */
function samplePositions(count: number, zoom: number, offset: number, size: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) =>
    Math.max(0, Math.min(size - 1, Math.floor((i + 0.5) * zoom + offset))),
  );
}
