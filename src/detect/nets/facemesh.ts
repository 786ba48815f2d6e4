import type { Ops } from '../../infer/model/ops.ts';

/** Edge of the network input in pixels. */
export const MESH_SIZE = 192;
/** Number of landmarks of the canonical face mesh. */
export const MESH_POINTS = 468;

interface FaceMeshOutputs<T> {
  /** (n, 1404): x, y, z per landmark in input pixels; z is relative depth, negative towards the camera. */
  readonly landmarks: T;
  /** (n, 1): probability that the input shows a face, 0…1. */
  readonly presence: T;
}

/** Output channels and stride of the blocks shared by both branches. */
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
 * MediaPipe's face mesh (Kartynnik et al. 2019): RGB bytes (n, 192, 192, 3) of an upright face with a margin → 468
 * landmarks and presence. The published network's third branch, contours, is omitted.
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

/** Pointwise reduction to 32 channels, a block, then a 3×3 convolution over all cells: (n, 3, 3, 128) → (n, out). */
function head<T>(ops: Ops<T>, x: T, name: string, out: number): T {
  const reduced = prelu(ops, ops.conv(x, `${name}.reduce`, { out: 32, kernel: 1 }), `${name}.reduce`);
  const y = ops.conv(meshBlock(ops, reduced, `${name}.block`, 32, 1), `${name}.out`, {
    out,
    kernel: 3,
    padding: 0,
  });
  return ops.reshape(ops.tokens(y), [-1, out]);
}

/** Depthwise 3×3 → pointwise 1×1; residual connection (max-pooled, channels zero-padded); PReLU. */
function meshBlock<T>(ops: Ops<T>, x: T, name: string, channels: number, stride: number): T {
  const inputChannels = ops.shape(x)[3] as number;
  const depthwise = ops.conv(x, `${name}.depthwise`, {
    out: inputChannels,
    kernel: 3,
    stride,
    groups: inputChannels,
    padding: 'same',
    bias: false,
  });
  const y = ops.conv(depthwise, `${name}.pointwise`, { out: channels, kernel: 1 });
  let skip = stride === 1 ? x : ops.maxPool(x, stride, stride);
  if (inputChannels !== channels) skip = ops.padChannels(skip, channels);
  return prelu(ops, ops.add(y, skip), name);
}

/**
 * PReLU, max(x, 0) + a·min(x, 0), as a·x + (1 − a)·max(x, 0) with a 1×1 depthwise convolution per factor. ONNX Runtime
 * fuses these into its convolutions and needs less than half the CPU time of its PRelu operator.
 */
function prelu<T>(ops: Ops<T>, x: T, name: string): T {
  const channels = ops.shape(x)[3] as number;
  const scaled = (y: T, factor: string) =>
    ops.conv(y, `${name}.${factor}`, { out: channels, kernel: 1, groups: channels, bias: false });
  return ops.add(scaled(x, 'slope'), scaled(ops.relu(x), 'complement'));
}
