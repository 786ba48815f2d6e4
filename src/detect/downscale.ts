import { average2x2, average4x4, halve, type Plane } from './area-averaging.ts';

/** A downscaled part of a plane: each pixel is the mean of a block of `step`×`step` source pixels. */
export interface DownscaledPlane extends Plane {
  readonly step: number;
  /** Top left corner in pixels of the full-size plane. */
  readonly x: number;
  readonly y: number;
}

/** A rectangle in pixels of a plane; may reach past its edge. */
export interface PlaneRect {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Results per plane that is still in use: mesh input and crop of one face read the same pixels. */
const cache = new WeakMap<Uint8Array, DownscaledPlane[]>();

/**
 * Downscales the part of a plane that covers `rect`, clipped to the plane, by area averaging.
 *
 * Blocks lie on a fixed grid: a still picture gives the same means whatever `rect` asks for.
 *
 * @param step block edge in pixels: a power of two ≥ 2
 */
export function downscale(plane: Plane, rect: PlaneRect, step: number): DownscaledPlane {
  const cached = cache.get(plane.pixels) ?? [];
  const blocks = alignToBlocks(plane, rect, step);
  const hit = cached.find((level) => level.step === step && contains(level, blocks));
  if (hit) return hit;
  const level = step > 4 ? halveFinerLevel(plane, blocks, step) : averagePixels(plane, blocks, step);
  cache.set(plane.pixels, [...cached, level]);
  return level;
}

/** A rectangle of whole blocks: corner in plane pixels, size in blocks. */
interface BlockGrid {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly step: number;
}

/** The blocks that touch the rectangle and lie within the plane: at least one 32-bit word of pixels, at most all. */
function alignToBlocks(plane: Plane, { left, top, right, bottom }: PlaneRect, step: number): BlockGrid {
  const span = (from: number, to: number, size: number, origin: number, grain: number) => {
    const available = Math.max(1, Math.floor((size - origin) / grain));
    const first = Math.max(0, Math.min(available - 1, Math.floor((from - origin) / grain)));
    const end = Math.max(first + 1, Math.min(available, Math.ceil((to - origin) / grain)));
    return { start: origin + first * grain, count: ((end - first) * grain) / step };
  };
  const columns = span(left, right, plane.width, wordOffset(plane), Math.max(4, step));
  const rows = span(top, bottom, plane.height, 0, step);
  return { x: columns.start, y: rows.start, width: columns.count, height: rows.count, step };
}

/** Pixels before the first one that is aligned to a 32-bit word. */
function wordOffset({ pixels }: Plane): number {
  return -pixels.byteOffset & 3;
}

function averagePixels({ pixels, stride }: Plane, blocks: BlockGrid, step: number): DownscaledPlane {
  const { x, y, width, height } = blocks;
  const from = pixels.byteOffset + y * stride + x;
  const words = new Int32Array(pixels.buffer, from, (pixels.byteOffset + pixels.length - from) >> 2);
  const average = step === 2 ? average2x2 : average4x4;
  return { ...blocks, pixels: average(words, stride >> 2, width, height), stride: width };
}

function halveFinerLevel(plane: Plane, blocks: BlockGrid, step: number): DownscaledPlane {
  const { x, y, width, height } = blocks;
  const rect = { left: x, top: y, right: x + width * step, bottom: y + height * step };
  const finer = downscale(plane, rect, step / 2);
  const pixels = new Uint8Array(width * height);
  const from = ((y - finer.y) / finer.step) * finer.stride + (x - finer.x) / finer.step;
  halve(finer.pixels.subarray(from), finer.stride, width, height, pixels);
  return { ...blocks, pixels, stride: width };
}

function contains(level: DownscaledPlane, { x, y, width, height, step }: BlockGrid): boolean {
  return (
    level.x <= x &&
    level.y <= y &&
    level.x + level.width * step >= x + width * step &&
    level.y + level.height * step >= y + height * step
  );
}
