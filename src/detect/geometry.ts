import type { Box, Point } from '../domain/face.ts';

/**
 * Similarity transform of the plane: (x, y) → (a·x − b·y + tx, b·x + a·y + ty). Coordinates are continuous: pixel i
 * covers i … i + 1 and its centre is at i + 0.5.
 */
export interface Similarity {
  readonly a: number;
  readonly b: number;
  readonly tx: number;
  readonly ty: number;
}

/** A square of the frame, rotated by `roll` radians (clockwise on the screen). */
export interface RotatedSquare {
  readonly centre: Point;
  /** Edge in frame pixels. */
  readonly side: number;
  readonly roll: number;
}

export function transformPoint(transform: Similarity, { x, y }: Point): Point {
  return {
    x: transform.a * x - transform.b * y + transform.tx,
    y: transform.b * x + transform.a * y + transform.ty,
  };
}

/** Length in the target of a unit length in the source. */
export function scaleOf(transform: Similarity): number {
  return Math.hypot(transform.a, transform.b);
}

/** Similarity from a picture of `size`×`size` pixels to the square of the frame that it shows. */
export function squareToFrame(size: number, { centre, side, roll }: RotatedSquare): Similarity {
  const a = (Math.cos(roll) * side) / size;
  const b = (Math.sin(roll) * side) / size;
  const half = size / 2;
  return { a, b, tx: centre.x - (a - b) * half, ty: centre.y - (a + b) * half };
}

/** Least-squares similarity from `source` to `target`; `source[i]` corresponds to `target[i]`. */
export function fitSimilarity(source: readonly Point[], target: readonly Point[]): Similarity {
  const from = centroid(source);
  const to = centroid(target);
  let norm = 0;
  let dot = 0;
  let cross = 0;
  source.forEach((point, i) => {
    const [px, py] = [point.x - from.x, point.y - from.y];
    const [qx, qy] = [(target[i] as Point).x - to.x, (target[i] as Point).y - to.y];
    norm += px * px + py * py;
    dot += px * qx + py * qy;
    cross += px * qy - py * qx;
  });
  const a = dot / norm;
  const b = cross / norm;
  return { a, b, tx: to.x - a * from.x + b * from.y, ty: to.y - b * from.x - a * from.y };
}

export function centroid(points: readonly Point[]): Point {
  let x = 0;
  let y = 0;
  for (const point of points) {
    x += point.x;
    y += point.y;
  }
  return { x: x / points.length, y: y / points.length };
}

export function boxCentre(box: Box): Point {
  return { x: box.x + box.w / 2, y: box.y + box.h / 2 };
}

/** Square pixels. */
export function intersectionArea(a: Box, b: Box): number {
  const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  return w > 0 && h > 0 ? w * h : 0;
}

/** Intersection over union, 0…1. */
export function iou(a: Box, b: Box): number {
  const intersection = intersectionArea(a, b);
  return intersection === 0 ? 0 : intersection / (a.w * a.h + b.w * b.h - intersection);
}

export function invert({ a, b, tx, ty }: Similarity): Similarity {
  const norm = a * a + b * b;
  const [c, s] = [a / norm, -b / norm];
  return { a: c, b: s, tx: -(c * tx - s * ty), ty: -(s * tx + c * ty) };
}
