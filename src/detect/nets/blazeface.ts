import type { Ops } from '../../infer/model/ops.ts';

/** Channels and number of stride-1 blocks per stage; `downsamples`: a stride-2 block comes first. */
const STAGES = [
  { channels: 24, blocks: 7, downsamples: false },
  { channels: 24, blocks: 7, downsamples: true },
  { channels: 48, blocks: 7, downsamples: true },
  { channels: 96, blocks: 7, downsamples: true },
] as const;

/** Values per anchor, in input pixels: box centre (relative to the anchor), box size, six keypoints (relative). */
export const ANCHOR_VALUES = 16;
/** The two anchor grids: input pixels from cell to cell, and anchors per cell. */
export const ANCHOR_GRIDS = [
  { stride: 16, perCell: 2 },
  { stride: 32, perCell: 6 },
] as const;

interface BlazeFaceOutputs<T> {
  /** (n, anchors): score logits, grid by grid, row by row, cell by cell. */
  readonly scores: T;
  /** (n, anchors, 16): see `ANCHOR_VALUES`. */
  readonly boxes: T;
}

/**
 * BlazeFace (Bazarevsky et al. 2019), the "back camera" variant for distant faces: RGB bytes (n, h, w, 3) → scores and
 * boxes per anchor. Trained at 256×256; being fully convolutional, it takes any h and w that are multiples of 32.
 *
 * Throws RangeError for other sizes.
 */
export function blazeFace<T>(ops: Ops<T>, pixels: T): BlazeFaceOutputs<T> {
  const [, h = 0, w = 0] = ops.shape(pixels);
  if (h % 32 !== 0 || w % 32 !== 0) throw new RangeError(`${w}×${h} are not multiples of 32`);
  const image = ops.image(pixels, [1 / 127.5], [-1]);
  let x = ops.relu(ops.conv(image, 'stem', { out: 24, kernel: 5, stride: 2, padding: 'same' }));
  let block = 0;
  for (const { channels, blocks, downsamples } of STAGES) {
    if (downsamples) x = blazeBlock(ops, x, `block${block++}`, channels, 2);
    for (let i = 0; i < blocks; i++) x = blazeBlock(ops, x, `block${block++}`, channels, 1);
  }
  const fine = x;
  const downsampled = depthwise(ops, fine, 'coarse.depthwise', 2);
  const coarse = ops.relu(ops.conv(downsampled, 'coarse.pointwise', { out: 96, kernel: 1 }));
  const heads = ANCHOR_GRIDS.map(({ perCell }, grid) => {
    const features = grid === 0 ? fine : coarse;
    const predict = (name: string, values: number) => {
      const cells = ops.tokens(ops.conv(features, `${name}${grid}`, { out: perCell * values, kernel: 1 }));
      const anchors = (ops.shape(cells)[1] as number) * perCell;
      return ops.reshape(cells, values === 1 ? [-1, anchors] : [-1, anchors, values]);
    };
    return { scores: predict('scores', 1), boxes: predict('boxes', ANCHOR_VALUES) };
  });
  return {
    scores: ops.concat(
      heads.map((head) => head.scores),
      1,
    ),
    boxes: ops.concat(
      heads.map((head) => head.boxes),
      1,
    ),
  };
}

/** Depthwise 3×3 → pointwise 1×1; residual connection (max-pooled, channels zero-padded); ReLU. */
function blazeBlock<T>(ops: Ops<T>, x: T, name: string, channels: number, stride: number): T {
  const y = ops.conv(depthwise(ops, x, `${name}.depthwise`, stride), `${name}.pointwise`, {
    out: channels,
    kernel: 1,
  });
  let skip = stride === 1 ? x : ops.maxPool(x, stride, stride);
  if (ops.shape(skip)[3] !== channels) skip = ops.padChannels(skip, channels);
  return ops.relu(ops.add(y, skip));
}

function depthwise<T>(ops: Ops<T>, x: T, name: string, stride: number): T {
  const channels = ops.shape(x)[3] as number;
  return ops.conv(x, name, {
    out: channels,
    kernel: 3,
    stride,
    groups: channels,
    padding: 'same',
    bias: false,
  });
}
