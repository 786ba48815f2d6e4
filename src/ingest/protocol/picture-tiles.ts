import { type Box, CROP_SIZE } from '../../domain/face.ts';
import { MAX_CROPS } from './wire.ts';

export interface TileGrid {
  /** Edge of a tile in pixels of the picture; `CROP_SIZE` or more. A tile has `CROP_SIZE`×`CROP_SIZE` samples. */
  readonly side: number;
  readonly columns: number;
  readonly rows: number;
}

/**
 * Divides a picture into tiles that travel as crops, row by row: so a snapshot needs no message of its own, and the host
 * never decodes a picture that a camera process encoded.
 */
export function tileGrid(width: number, height: number): TileGrid {
  for (let side = CROP_SIZE; ; side += 1) {
    const [columns, rows] = [Math.ceil(width / side), Math.ceil(height / side)];
    if (columns * rows <= MAX_CROPS) return { side, columns, rows };
  }
}

/** The tiles in the order of the crops. Those at the right and lower edge extend beyond the picture. */
export function tileBoxes({ side, columns, rows }: TileGrid): Box[] {
  return Array.from({ length: columns * rows }, (_, index) => ({
    x: (index % columns) * side,
    y: Math.floor(index / columns) * side,
    w: side,
    h: side,
  }));
}
