import type { Ops } from '../../infer/model/ops.ts';

/** Edge of the network's input in pixels. */
export const MESH_SIZE = 192;
/** Landmarks of the canonical face mesh. */
export const MESH_POINTS = 468;

export interface FaceMeshOutputs<T> {
  /** (n, 1404): x, y, z of each landmark in input pixels; z is relative, negative towards the camera. */
  readonly landmarks: T;
  /** (n, 1): 0…1, whether a face fills the picture. */
  readonly presence: T;
}

/** Blocks up to where the branches part: output channels, and whether the block halves the picture. */
const TRUNK = [
  ...[16, 16].map((channels) => ({ channels, stride: 1 })),
  { channels: 32, stride: 2 },
  ...[32, 32].map((channels) => ({ channels, stride: 1 })),
  { channels: 64, stride: 2 },
  ...[64, 64].map((channels) => ({ channels, stride: 1 })),
  { channels: 128, stride: 2 },
  ...[128, 128].map((channels) => ({ channels, stride: 1 })),
  { channels: 128, stride: 2 },
  ...[128, 128].map((channels) => ({ channels, stride: 1 })),
];

/**
 * MediaPipe's face mesh (Kartynnik et al. 2019): RGB pixels (n, 192, 192, 3), bytes, of an upright face with a
 * margin → 468 landmarks. The third branch of the published network, contours, is left out.
 */
export function faceMesh<T>(ops: Ops<T>, pixels: T): FaceMeshOutputs<T> {
  const image = ops.image(pixels, [1 / 255], [0]);
  let x = prelu(ops, ops.conv(image, 'stem', { out: 16, kernel: 3, stride: 2, padding: 'same' }), 'stem');
  TRUNK.forEach(({ channels, stride }, i) => {
    x = meshBlock(ops, x, `trunk${i}`, channels, stride);
  });
  let mesh = meshBlock(ops, x, 'mesh0', 128, 2);
  for (const i of [1, 2]) mesh = meshBlock(ops, mesh, `mesh${i}`, 128, 1);
  return {
    landmarks: head(ops, mesh, 'mesh', 3 * MESH_POINTS),
    presence: ops.sigmoid(head(ops, meshBlock(ops, x, 'presence0', 128, 2), 'presence', 1)),
  };
}

/** 1×1 down to 32 channels, a block, and a 3×3 over the remaining 3×3 cells: (n, 3, 3, 128) → (n, out). */
function head<T>(ops: Ops<T>, x: T, name: string, out: number): T {
  const narrow = prelu(ops, ops.conv(x, `${name}.narrow`, { out: 32, kernel: 1 }), `${name}.narrow`);
  const y = ops.conv(meshBlock(ops, narrow, `${name}.block`, 32, 1), `${name}.out`, {
    out,
    kernel: 3,
    padding: 0,
  });
  return ops.reshape(ops.tokens(y), [-1, out]);
}

/** Depthwise 3×3 → 1×1, added to the (pooled, widened) input, PReLU. */
function meshBlock<T>(ops: Ops<T>, x: T, name: string, channels: number, stride: number): T {
  const width = ops.shape(x)[3] as number;
  const spatial = ops.conv(x, `${name}.spatial`, {
    out: width,
    kernel: 3,
    stride,
    groups: width,
    padding: 'same',
    bias: false,
  });
  const y = ops.conv(spatial, `${name}.pointwise`, { out: channels, kernel: 1 });
  let skip = stride === 1 ? x : ops.maxPool(x, stride, stride);
  if (width !== channels) skip = ops.padChannels(skip, channels);
  return prelu(ops, ops.add(y, skip), name);
}

/**
 * max(x, 0) + a·min(x, 0) as a·x + (1 − a)·max(x, 0), each factor a 1×1 depthwise convolution: on a CPU ONNX
 * Runtime runs this, fused into its convolutions, in less than half the time of its own PRelu.
 */
function prelu<T>(ops: Ops<T>, x: T, name: string): T {
  const channels = ops.shape(x)[3] as number;
  const scaled = (y: T, factor: string) =>
    ops.conv(y, `${name}.${factor}`, { out: channels, kernel: 1, groups: channels, bias: false });
  return ops.add(scaled(x, 'slope'), scaled(ops.relu(x), 'rise'));
}
