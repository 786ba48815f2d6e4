import type { RegNetOptions } from './architecture.ts';
import type { Ops } from './ops.ts';

/**
 * RegNetY backbone (Radosavovic et al. 2020) without its head: image (n, 112, 112, 3) → (n, 4, 4, widths.at(-1)).
 * Parameter names below `name` are timm's.
 */
export function regnet<T>(ops: Ops<T>, image: T, name: string, net: RegNetOptions): T {
  let x = ops.relu(convBn(ops, image, `${name}.stem`, { out: net.stem, kernel: 3, stride: 2 }));
  net.depths.forEach((depth, stage) => {
    for (let block = 0; block < depth; block++)
      x = regnetYBlock(ops, x, `${name}.s${stage + 1}.b${block + 1}`, {
        out: net.widths[stage] as number,
        stride: block === 0 ? 2 : 1,
        groupWidth: net.groupWidth,
      });
  });
  return x;
}

/**
 * Y block: (n, h, w, c) → (n, h / stride, w / stride, out). 1×1 → grouped 3×3 → squeeze-and-excitation → 1×1, residual
 * add, ReLU; the shortcut is a 1×1 projection if the shape changes.
 */
function regnetYBlock<T>(
  ops: Ops<T>,
  x: T,
  name: string,
  { out, stride, groupWidth }: { out: number; stride: number; groupWidth: number },
): T {
  const width = ops.shape(x)[3] as number;
  let y = ops.relu(convBn(ops, x, `${name}.conv1`, { out, kernel: 1 }));
  y = ops.relu(convBn(ops, y, `${name}.conv2`, { out, kernel: 3, stride, groups: out / groupWidth }));
  y = squeezeExcite(ops, y, `${name}.se`, roundHalfToEven(0.25 * width));
  y = convBn(ops, y, `${name}.conv3`, { out, kernel: 1 });
  const same = width === out && stride === 1;
  return ops.relu(ops.add(y, same ? x : convBn(ops, x, `${name}.downsample`, { out, kernel: 1, stride })));
}

/** Squeeze-and-excitation (Hu et al. 2018): (n, h, w, c) → the same shape, channels reweighted. */
function squeezeExcite<T>(ops: Ops<T>, x: T, name: string, squeezed: number): T {
  const out = ops.shape(x)[3] as number;
  const hidden = ops.relu(ops.conv(ops.pool(x), `${name}.fc1`, { out: squeezed, kernel: 1 }));
  return ops.mul(x, ops.sigmoid(ops.conv(hidden, `${name}.fc2`, { out, kernel: 1 })));
}

function convBn<T>(
  ops: Ops<T>,
  x: T,
  name: string,
  options: { out: number; kernel: number; stride?: number; groups?: number },
): T {
  return ops.conv(x, `${name}.conv`, { ...options, batchNorm: `${name}.bn` });
}

/** Python's `round`, with which timm computes the squeeze width: 12.5 → 12, 13.5 → 14. */
function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
