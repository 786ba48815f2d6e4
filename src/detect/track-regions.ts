import type { Box } from '../domain/face.ts';
import type { Region } from './detections.ts';
import { type RotatedSquare, squareToFrame } from './geometry.ts';

/** Region of interest around a track: its edge in crop sides, and in detector input pixels. */
const SEARCH_REGION = { cropSides: 3.5, pixels: 128 };
/** Margins from a face box to its head, in box widths (each side) and box heights (above, below). */
const HEAD_MARGINS = { side: 0.5, above: 0.6, below: 0.6 };

/** The upright region in which the detector looks for a track. */
export function searchRegion({ centre, side }: RotatedSquare): Region {
  const { cropSides, pixels } = SEARCH_REGION;
  return {
    width: pixels,
    height: pixels,
    toFrame: squareToFrame(pixels, { centre, side: cropSides * side, roll: 0 }),
  };
}

/** The box around a face's whole head: movement inside it is the tracked face's own. */
export function headBox({ x, y, w, h }: Box): Box {
  const { side, above, below } = HEAD_MARGINS;
  return { x: x - side * w, y: y - above * h, w: w * (1 + 2 * side), h: h * (1 + above + below) };
}
