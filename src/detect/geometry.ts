import type { Box, Point } from '../domain/face.ts';

/**
 * A similarity of the plane: (x, y) → (a·x − b·y + tx, b·x + a·y + ty). All coordinates are continuous: pixel i
 * covers i … i + 1, its centre is at i + 0.5.
 */
export interface Similarity {
  readonly a: number;
  readonly b: number;
  readonly tx: number;
  readonly ty: number;
}

export function transformPoint(map: Similarity, { x, y }: Point): Point {
  return { x: map.a * x - map.b * y + map.tx, y: map.b * x + map.a * y + map.ty };
}

/** Length in the target of a unit length in the source. */
export function scaleOf(map: Similarity): number {
  return Math.hypot(map.a, map.b);
}

/** What turns a square of `size` pixels into the square of the plane with this centre, edge and roll (radians). */
export function squareToFrame(
  size: number,
  { centre, side, roll }: { centre: Point; side: number; roll: number },
): Similarity {
  const a = (Math.cos(roll) * side) / size;
  const b = (Math.sin(roll) * side) / size;
  const half = size / 2;
  return { a, b, tx: centre.x - (a - b) * half, ty: centre.y - (a + b) * half };
}

/** Least-squares similarity that takes each point of `source` to its fellow in `target`. */
export function fitSimilarity(source: readonly Point[], target: readonly Point[]): Similarity {
  const from = centroid(source);
  const to = centroid(target);
  let norm = 0;
  let along = 0;
  let across = 0;
  source.forEach((point, i) => {
    const [px, py] = [point.x - from.x, point.y - from.y];
    const [qx, qy] = [(target[i] as Point).x - to.x, (target[i] as Point).y - to.y];
    norm += px * px + py * py;
    along += px * qx + py * qy;
    across += px * qy - py * qx;
  });
  const a = along / norm;
  const b = across / norm;
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

export function boundsOf(points: readonly Point[]): Box {
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, w: Math.max(...xs) - x, h: Math.max(...ys) - y };
}

export function boxCentre(box: Box): Point {
  return { x: box.x + box.w / 2, y: box.y + box.h / 2 };
}

/** Area of the intersection. */
export function intersectionArea(a: Box, b: Box): number {
  const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  return w > 0 && h > 0 ? w * h : 0;
}

/** Intersection over union. */
export function iou(a: Box, b: Box): number {
  const overlap = intersectionArea(a, b);
  return overlap === 0 ? 0 : overlap / (a.w * a.h + b.w * b.h - overlap);
}

export function invert({ a, b, tx, ty }: Similarity): Similarity {
  const norm = a * a + b * b;
  const [c, s] = [a / norm, -b / norm];
  return { a: c, b: s, tx: -(c * tx - s * ty), ty: -(s * tx + c * ty) };
}
