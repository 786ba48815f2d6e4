import { halve, average4x4, average2x2, type Plane } from './area-averaging.ts';

/** A part of a plane, shrunk: each pixel stands for a block of `step`×`step`. */
export interface DownscaledPlane extends Plane {
  readonly step: number;
  /** Its corner in the whole plane's pixels. */
  readonly x: number;
  readonly y: number;
}

/** A rectangle of a plane, in its pixels; may reach past its edge. */
export interface PlaneRect {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** What was made of planes that are still in use: a face's mesh and its crop look at the same pixels. */
const cache = new WeakMap<Uint8Array, DownscaledPlane[]>();

/**
 * The part of a plane that holds `extent`, or what of it is within, shrunk by `step`: a power of two from 2 on. Blocks
 * lie on a fixed grid, so that a resting picture gives the same answer wherever it is looked at.
 */
export function downscale(plane: Plane, extent: PlaneRect, step: number): DownscaledPlane {
  const before = cache.get(plane.pixels) ?? [];
  const wanted = alignToBlocks(plane, extent, step);
  const found = before.find((reduced) => reduced.step === step && contains(reduced, wanted));
  if (found) return found;
  const made = step > 4 ? halveFinerLevel(plane, wanted, step) : averagePixels(plane, wanted, step);
  cache.set(plane.pixels, [...before, made]);
  return made;
}

interface BlockGrid {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly step: number;
}

/** The blocks that touch `extent` and lie within the plane; at least one word of them, at most all. */
function alignToBlocks(plane: Plane, { left, top, right, bottom }: PlaneRect, step: number): BlockGrid {
  const phase = wordOffset(plane);
  const unit = Math.max(4, step);
  const span = (from: number, to: number, size: number, origin: number, grain: number) => {
    const most = Math.max(1, Math.floor((size - origin) / grain));
    const first = Math.max(0, Math.min(most - 1, Math.floor((from - origin) / grain)));
    const last = Math.max(first + 1, Math.min(most, Math.ceil((to - origin) / grain)));
    return { at: origin + first * grain, count: ((last - first) * grain) / step };
  };
  const across = span(left, right, plane.width, phase, unit);
  const down = span(top, bottom, plane.height, 0, step);
  return { x: across.at, y: down.at, width: across.count, height: down.count, step };
}

/** Pixels before the first one that begins a word of memory. */
function wordOffset({ pixels }: Plane): number {
  return -pixels.byteOffset & 3;
}

function averagePixels({ pixels, stride }: Plane, wanted: BlockGrid, step: number): DownscaledPlane {
  const { x, y, width, height } = wanted;
  const from = pixels.byteOffset + y * stride + x;
  const words = new Int32Array(pixels.buffer, from, (pixels.byteOffset + pixels.length - from) >> 2);
  const means = step === 2 ? average2x2 : average4x4;
  return { ...wanted, pixels: means(words, stride >> 2, width, height), stride: width };
}

function halveFinerLevel(plane: Plane, wanted: BlockGrid, step: number): DownscaledPlane {
  const { x, y, width, height } = wanted;
  const extent = { left: x, top: y, right: x + width * step, bottom: y + height * step };
  const finer = downscale(plane, extent, step / 2);
  const pixels = new Uint8Array(width * height);
  const from = ((y - finer.y) / finer.step) * finer.stride + (x - finer.x) / finer.step;
  halve(finer.pixels.subarray(from), finer.stride, width, height, pixels);
  return { ...wanted, pixels, stride: width };
}

function contains(reduced: DownscaledPlane, { x, y, width, height, step }: BlockGrid): boolean {
  return (
    reduced.x <= x &&
    reduced.y <= y &&
    reduced.x + reduced.width * step >= x + width * step &&
    reduced.y + reduced.height * step >= y + height * step
  );
}
