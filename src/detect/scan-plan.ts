import type { Region } from './detections.ts';

/**
 * Height of a face, forehead to chin, in detector pixels, from which BlazeFace finds practically every one: 99 % of
 * portraits shrunk into a 1280×720 frame at 22.5, 98 % at 20, 94 % at 17.
 */
const DETECTABLE_FACE_HEIGHT = 22.5;
/** Longest edge of the look at the whole frame, in detector pixels. */
const OVERVIEW_MAX_EDGE = 352;
/** Longest edge of a tile. */
const TILE_MAX_EDGE = 352;
/** Neighbouring tiles share this much, so that a face of a tile's level is whole in one of them. */
const TILE_OVERLAP = 48;
/** Faces that span more than this many times the smallest one of a level are left to the next coarser level. */
const LEVEL_RATIO = 4;
/** Lengths in detector pixels are products of fractions. */
const ROUNDING_TOLERANCE = 1e-6;
/** The overview is looked at so many times as often as the tiles. */
const OVERVIEWS_PER_PERIOD = 4;

/**
 * Which parts of the frame are searched for new faces, and when. The overview, the whole frame shrunk, finds large
 * faces; tiles at finer levels find small ones. Looks are spread over frames, so that none pays for all.
 */
export class ScanPlan {
  readonly #overview: Region;
  readonly #tiles: readonly Region[];
  #overviewDue = 0;
  #tilesDue = 0;
  #nextTile = 0;

  /** For frames of this size, in which faces from `minFaceHeight` pixels on are wanted. */
  constructor(width: number, height: number, minFaceHeight: number) {
    const finest = Math.min(1, DETECTABLE_FACE_HEIGHT / minFaceHeight);
    const coarsest = Math.min(finest, OVERVIEW_MAX_EDGE / Math.max(width, height));
    this.#overview = levelTiles(width, height, coarsest)[0]!;
    const between = Math.ceil(Math.log(finest / coarsest) / Math.log(LEVEL_RATIO));
    this.#tiles = Array.from({ length: between }, (_, i) =>
      levelTiles(width, height, finest * (coarsest / finest) ** (i / between)),
    ).flat();
  }

  /** Everything, for a first frame. */
  all(): readonly Region[] {
    return [this.#overview, ...this.#tiles];
  }

  /** What is due after `seconds` more, if the whole frame shall be seen once in `period` seconds. */
  due(seconds: number, period: number): readonly Region[] {
    const part = Math.min(1, seconds / period);
    const regions: Region[] = [];
    this.#overviewDue += part * OVERVIEWS_PER_PERIOD;
    if (this.#overviewDue >= 1) {
      this.#overviewDue %= 1;
      regions.push(this.#overview);
    }
    this.#tilesDue = Math.min(this.#tiles.length, this.#tilesDue + part * this.#tiles.length);
    for (; this.#tilesDue >= 1; this.#tilesDue--) {
      regions.push(this.#tiles[this.#nextTile]!);
      this.#nextTile = (this.#nextTile + 1) % this.#tiles.length;
    }
    return regions;
  }
}

/** The frame shrunk by `scale`, cut into tiles of one size that cover it evenly. */
function levelTiles(width: number, height: number, scale: number): Region[] {
  const columns = splitLength(width * scale);
  const rows = splitLength(height * scale);
  const zoom = 1 / scale;
  return rows.starts.flatMap((y) =>
    columns.starts.map((x) => ({
      width: columns.size,
      height: rows.size,
      toFrame: { a: zoom, b: 0, tx: x * zoom, ty: y * zoom },
    })),
  );
}

/** Cuts a length into the fewest strips that are multiples of 32, no longer than a tile, and overlap enough. */
function splitLength(length: number): { size: number; starts: number[] } {
  const count = length <= TILE_MAX_EDGE + ROUNDING_TOLERANCE ? 1 : Math.ceil((length - TILE_OVERLAP) / (TILE_MAX_EDGE - TILE_OVERLAP));
  const size = 32 * Math.ceil((length + (count - 1) * TILE_OVERLAP) / count / 32 - ROUNDING_TOLERANCE);
  // A single strip stands in the middle: what it has too much lies on both sides.
  if (count === 1) return { size, starts: [(length - size) / 2] };
  return { size, starts: Array.from({ length: count }, (_, i) => (i * (length - size)) / (count - 1)) };
}
