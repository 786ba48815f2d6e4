import type { RegNetOptions } from './architecture.ts';
import type { Ops } from './ops.ts';

/**
 * RegNetY (Radosavovic et al. 2020) without its head: image (n, 112, 112, 3) → (n, 4, 4, widths.at(-1)).
 * Parameter names under `name` are timm's.
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

/** 1×1 → grouped 3×3 → squeeze-and-excitation → 1×1, ReLU after the add; a projection where the shape changes. */
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

/** Python's round, by which timm sizes the squeeze: 12.5 → 12, 13.5 → 14. */
function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
