import type { Region } from './detections.ts';

/**
 * Face height, forehead to chin, in detector input pixels, from which BlazeFace detects practically every face.
 * Measured on portraits shrunk into 1280×720 frames: 99 % detected at 22.5 pixels, 98 % at 20, 94 % at 17.
 */
const DETECTABLE_FACE_HEIGHT = 22.5;
/** Longest edge of the overview in detector input pixels. */
const OVERVIEW_MAX_EDGE = 352;
/** Longest edge of a tile in detector input pixels. */
const TILE_MAX_EDGE = 352;
/** Overlap of neighbouring tiles in detector input pixels: a face of the tile's level lies whole in one of them. */
const TILE_OVERLAP = 48;
/** A pyramid level covers faces up to this many times its smallest one; larger ones belong to the next coarser level. */
const LEVEL_RATIO = 4;
/** Tolerance for rounding errors of lengths in detector input pixels. */
const ROUNDING_TOLERANCE = 1e-6;
/** Scans of the overview per scan of all tiles. */
const OVERVIEWS_PER_PERIOD = 4;

/**
 * Which regions of the frame are scanned for new faces, and when. The overview (the whole frame, downscaled) finds
 * large faces; tiles of an image pyramid's finer levels find small ones. Scans are spread evenly over frames.
 */
export class ScanPlan {
  /** Null if no face in it may be cropped. */
  readonly #overview: Region | null;
  readonly #tiles: readonly Region[];
  /** Scans due. `due` returns the whole ones and carries the fraction over. */
  #overviewsDue = 0;
  #tilesDue = 0;
  #nextTile = 0;

  /**
   * For frames of `width`×`height` pixels and faces of at least `minFaceHeight` pixels. Regions that are `excluded` are
   * never scanned.
   */
  constructor(
    width: number,
    height: number,
    minFaceHeight: number,
    excluded: (region: Region) => boolean = () => false,
  ) {
    const finest = Math.min(1, DETECTABLE_FACE_HEIGHT / minFaceHeight);
    const coarsest = Math.min(finest, OVERVIEW_MAX_EDGE / Math.max(width, height));
    const overview = levelTiles(width, height, coarsest)[0]!;
    this.#overview = excluded(overview) ? null : overview;
    const levels = Math.ceil(Math.log(finest / coarsest) / Math.log(LEVEL_RATIO));
    this.#tiles = Array.from({ length: levels }, (_, i) =>
      levelTiles(width, height, finest * (coarsest / finest) ** (i / levels)),
    )
      .flat()
      .filter((tile) => !excluded(tile));
  }

  /** Every region, for a first frame. */
  all(): readonly Region[] {
    return [...(this.#overview ? [this.#overview] : []), ...this.#tiles];
  }

  /** The regions due after another `seconds`, at one scan of the whole frame per `period` seconds. */
  due(seconds: number, period: number): readonly Region[] {
    const share = Math.min(1, seconds / period);
    const regions: Region[] = [];
    this.#overviewsDue += share * OVERVIEWS_PER_PERIOD;
    if (this.#overviewsDue >= 1) {
      this.#overviewsDue %= 1;
      if (this.#overview) regions.push(this.#overview);
    }
    this.#tilesDue = Math.min(this.#tiles.length, this.#tilesDue + share * this.#tiles.length);
    for (; this.#tilesDue >= 1; this.#tilesDue--) {
      regions.push(this.#tiles[this.#nextTile]!);
      this.#nextTile = (this.#nextTile + 1) % this.#tiles.length;
    }
    return regions;
  }
}

/** One pyramid level: the frame downscaled by `scale` and cut into tiles of one size that cover it evenly. */
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

/** Splits a length into the fewest overlapping intervals of one size: a multiple of 32, at most a tile's edge. */
function splitLength(length: number): { size: number; starts: number[] } {
  const count =
    length <= TILE_MAX_EDGE + ROUNDING_TOLERANCE
      ? 1
      : Math.ceil((length - TILE_OVERLAP) / (TILE_MAX_EDGE - TILE_OVERLAP));
  const size = 32 * Math.ceil((length + (count - 1) * TILE_OVERLAP) / count / 32 - ROUNDING_TOLERANCE);
  // A single interval is centred: it extends past both ends equally.
  if (count === 1) return { size, starts: [(length - size) / 2] };
  return { size, starts: Array.from({ length: count }, (_, i) => (i * (length - size)) / (count - 1)) };
}
