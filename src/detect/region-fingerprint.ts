import type { Box } from '../domain/face.ts';
import type { I420Image } from '../domain/frame.ts';
import type { Region } from './detections.ts';
import { intersectionArea } from './geometry.ts';

/** Edge of the blocks, in detector pixels, whose means tell whether a region changed; smaller than any face. */
const BLOCK_SIZE = 8;
/** A change of a block's mean that is more than noise, of 255. */
const CHANGE_THRESHOLD = 4;

/**
 * What a region looks like, in mean luma of blocks of detector pixels, read straight from the frame: a hundredth of
 * the cost of searching it.
 */
export class RegionFingerprint {
  readonly #region: Region;
  readonly #blockMeans: Uint8Array;

  constructor(image: I420Image, region: Region) {
    this.#region = region;
    this.#blockMeans = blockMeans(image, region);
  }

  /** Whether all blocks look as they did, but for those that touch one of `ignored` (boxes of the frame). */
  matches(before: RegionFingerprint, ignored: readonly Box[]): boolean {
    for (let i = 0; i < this.#blockMeans.length; i++) {
      const changed = Math.abs(this.#blockMeans[i]! - before.#blockMeans[i]!) >= CHANGE_THRESHOLD;
      if (changed && !ignored.some((box) => intersectionArea(box, this.#blockBox(i)) > 0)) return false;
    }
    return true;
  }

  /** Where block `i` lies in the frame. */
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

/** For upright regions: of each second row, one source pixel for each detector pixel; beyond the frame its border repeats. */
function blockMeans({ y, strideY, width, height }: I420Image, region: Region): Uint8Array {
  const { toFrame } = region;
  const columns = samplePositions(region.width, toFrame.a, toFrame.tx, width);
  const rows = samplePositions(region.height, toFrame.a, toFrame.ty, height);
  const blocks = columns.length / BLOCK_SIZE;
  const means = new Uint8Array(blocks * (rows.length / BLOCK_SIZE));
  for (let from = 0, i = 0; from < rows.length; from += BLOCK_SIZE)
    for (let block = 0; block < blocks; block++, i++) {
      let sum = 0;
      for (let row = from; row < from + BLOCK_SIZE; row += 2) {
        const line = rows[row]! * strideY;
        for (let column = block * BLOCK_SIZE, end = column + BLOCK_SIZE; column < end; column++)
          sum += y[line + columns[column]!]!;
      }
      means[i] = sum / (BLOCK_SIZE ** 2 / 2) + 0.5;
    }
  return means;
}

/** Source pixels under the centres of `count` detector pixels. */
function samplePositions(count: number, zoom: number, from: number, size: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) =>
    Math.max(0, Math.min(size - 1, Math.floor((i + 0.5) * zoom + from))),
  );
}
