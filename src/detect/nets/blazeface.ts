import type { Ops } from '../../infer/model/ops.ts';

/** Channels of each stage's blocks, and how many blocks follow the one that enters it. */
const STAGES = [
  { channels: 24, blocks: 7, enters: false },
  { channels: 24, blocks: 7, enters: true },
  { channels: 48, blocks: 7, enters: true },
  { channels: 96, blocks: 7, enters: true },
] as const;

/** Values of one anchor: box centre and size, then six keypoints, all (x, y) in pixels relative to the anchor. */
export const ANCHOR_VALUES = 16;
/** The two grids of anchors: input pixels between cells, and anchors at each cell. */
export const ANCHOR_GRIDS = [
  { stride: 16, perCell: 2 },
  { stride: 32, perCell: 6 },
] as const;

export interface BlazeFaceOutputs<T> {
  /** (n, anchors): logits, grid by grid, row by row, cell by cell. */
  readonly scores: T;
  /** (n, anchors, 16). */
  readonly boxes: T;
}

/**
 * BlazeFace (Bazarevsky et al. 2019) for faces at a distance ("back" camera): RGB pixels (n, h, w, 3), bytes, h and
 * w multiples of 32 → an answer per anchor. It was trained at 256×256; being convolutional throughout it answers
 * larger and smaller pictures alike.
 */
export function blazeFace<T>(ops: Ops<T>, pixels: T): BlazeFaceOutputs<T> {
  const [, h = 0, w = 0] = ops.shape(pixels);
  if (h % 32 !== 0 || w % 32 !== 0) throw new RangeError(`${w}×${h} are not multiples of 32`);
  const image = ops.image(pixels, [1 / 127.5], [-1]);
  let x = ops.relu(ops.conv(image, 'stem', { out: 24, kernel: 5, stride: 2, padding: 'same' }));
  let block = 0;
  for (const { channels, blocks, enters } of STAGES) {
    if (enters) x = blazeBlock(ops, x, `block${block++}`, channels, 2);
    for (let i = 0; i < blocks; i++) x = blazeBlock(ops, x, `block${block++}`, channels, 1);
  }
  const fine = x;
  const spread = depthwise(ops, fine, 'coarse.spatial', 2);
  const coarse = ops.relu(ops.conv(spread, 'coarse.pointwise', { out: 96, kernel: 1 }));
  const heads = ANCHOR_GRIDS.map(({ perCell }, grid) => {
    const features = grid === 0 ? fine : coarse;
    const answer = (name: string, values: number) => {
      const cells = ops.tokens(ops.conv(features, `${name}${grid}`, { out: perCell * values, kernel: 1 }));
      const anchors = (ops.shape(cells)[1] as number) * perCell;
      return ops.reshape(cells, values === 1 ? [-1, anchors] : [-1, anchors, values]);
    };
    return { scores: answer('scores', 1), boxes: answer('boxes', ANCHOR_VALUES) };
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

/** Depthwise 3×3 → 1×1, added to the (pooled, widened) input, ReLU. */
function blazeBlock<T>(ops: Ops<T>, x: T, name: string, channels: number, stride: number): T {
  const y = ops.conv(depthwise(ops, x, `${name}.spatial`, stride), `${name}.pointwise`, {
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
