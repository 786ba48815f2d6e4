import type { Box } from '../domain/face.ts';
import type { I420Image } from '../domain/frame.ts';
import type { Region } from './detections.ts';
import { overlapOf } from './geometry.ts';

/** Edge of the blocks, in detector pixels, whose means tell whether a region changed; smaller than any face. */
const BLOCK = 8;
/** A change of a block's mean that is more than noise, of 255. */
const CHANGE = 4;

/**
 * What a region looks like, in mean luma of blocks of detector pixels, read straight from the frame: a hundredth of
 * the cost of searching it.
 */
export class RegionFingerprint {
  readonly #region: Region;
  readonly #means: Uint8Array;

  constructor(image: I420Image, region: Region) {
    this.#region = region;
    this.#means = blockMeans(image, region);
  }

  /** Whether all blocks look as they did, but for those that touch one of `ignored` (boxes of the frame). */
  sameAs(before: RegionFingerprint, ignored: readonly Box[]): boolean {
    for (let i = 0; i < this.#means.length; i++) {
      const changed = Math.abs(this.#means[i]! - before.#means[i]!) >= CHANGE;
      if (changed && !ignored.some((box) => overlapOf(box, this.#block(i)) > 0)) return false;
    }
    return true;
  }

  /** Where block `i` lies in the frame. */
  #block(i: number): Box {
    const { width, toFrame } = this.#region;
    const columns = width / BLOCK;
    const side = BLOCK * toFrame.a;
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
  const columns = positions(region.width, toFrame.a, toFrame.tx, width);
  const rows = positions(region.height, toFrame.a, toFrame.ty, height);
  const blocks = columns.length / BLOCK;
  const means = new Uint8Array(blocks * (rows.length / BLOCK));
  for (let from = 0, i = 0; from < rows.length; from += BLOCK)
    for (let block = 0; block < blocks; block++, i++) {
      let sum = 0;
      for (let row = from; row < from + BLOCK; row += 2) {
        const line = rows[row]! * strideY;
        for (let column = block * BLOCK, end = column + BLOCK; column < end; column++)
          sum += y[line + columns[column]!]!;
      }
      means[i] = sum / (BLOCK ** 2 / 2) + 0.5;
    }
  return means;
}

/** Source pixels under the centres of `count` detector pixels. */
function positions(count: number, zoom: number, from: number, size: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) =>
    Math.max(0, Math.min(size - 1, Math.floor((i + 0.5) * zoom + from))),
  );
}
