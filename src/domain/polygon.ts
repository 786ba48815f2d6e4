/** Corners in order, as [x, y]; the last one joins the first. In a config: fractions of the picture, 0…1. */
export type Polygon = readonly (readonly [x: number, y: number])[];

/** Smallest area of a useful polygon, as a share of the picture: less is a mistake in its corners. */
const MIN_AREA = 1e-6;

interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * Even-odd rule. A point on the border is inside. On slanted edges "on the border" holds within the rounding of one
 * product; on edges along the axes it is exact.
 */
export function containsPoint(polygon: Polygon, x: number, y: number): boolean {
  let inside = false;
  for (const [[ax, ay], [bx, by]] of edges(polygon)) {
    const cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
    if (cross === 0 && isBetween(ax, x, bx) && isBetween(ay, y, by)) return true;
    // The half-open interval counts a corner that the ray passes through once.
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) inside = !inside;
  }
  return inside;
}

/** Whether the whole rectangle is inside the polygon. */
export function containsRectangle(polygon: Polygon, rectangle: Rectangle): boolean {
  const { left, top, right, bottom } = rectangle;
  const corners = [left, right].flatMap((x) => [top, bottom].map((y) => [x, y] as const));
  return (
    corners.every(([x, y]) => containsPoint(polygon, x, y)) &&
    !edges(polygon).some(([a, b]) => crossesInterior(a, b, rectangle))
  );
}

/** What is wrong with a polygon of a config; null: nothing. */
export function polygonIssue(polygon: Polygon): string | null {
  if (polygon.length < 3) return 'needs at least 3 points';
  const all = edges(polygon);
  const repeated = all.findIndex(([a, b]) => a[0] === b[0] && a[1] === b[1]);
  if (repeated === polygon.length - 1) return 'the last point repeats the first one: leave it out';
  if (repeated >= 0) return `point ${repeated + 2} repeats the one before it`;
  for (let i = 0; i < all.length; i++)
    for (let j = i + 1; j < all.length; j++) {
      const adjacent = j === i + 1 || (i === 0 && j === all.length - 1);
      if (adjacent ? foldsBack(all[i]!, all[j]!) : touch(all[i]!, all[j]!))
        return `crosses or touches itself: its edges ${i + 1} and ${j + 1} meet`;
    }
  return area(polygon) < MIN_AREA ? 'encloses no area' : null;
}

type Corner = Polygon[number];
type Edge = readonly [Corner, Corner];

function edges(polygon: Polygon): Edge[] {
  return polygon.map((corner, i) => [corner, polygon[(i + 1) % polygon.length]!]);
}

/** Shoelace formula. */
function area(polygon: Polygon): number {
  return Math.abs(edges(polygon).reduce((sum, [a, b]) => sum + a[0] * b[1] - b[0] * a[1], 0)) / 2;
}

function isBetween(a: number, value: number, b: number): boolean {
  return Math.min(a, b) <= value && value <= Math.max(a, b);
}

/** Positive: `c` lies on one side of the line from `a` to `b`; negative: on the other; 0: on it. */
function side(a: Corner, b: Corner, c: Corner): number {
  return Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));
}

function isOnEdge([a, b]: Edge, c: Corner): boolean {
  return side(a, b, c) === 0 && isBetween(a[0], c[0], b[0]) && isBetween(a[1], c[1], b[1]);
}

function touch(first: Edge, second: Edge): boolean {
  const [a, b] = first;
  const [c, d] = second;
  if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) return true;
  return isOnEdge(first, c) || isOnEdge(first, d) || isOnEdge(second, a) || isOnEdge(second, b);
}

/** Whether two edges with a common corner overlap. */
function foldsBack(first: Edge, second: Edge): boolean {
  const [shared, p, q] =
    first[1] === second[0] ? [first[1], first[0], second[1]] : [first[0], first[1], second[0]];
  const dot = (p[0] - shared[0]) * (q[0] - shared[0]) + (p[1] - shared[1]) * (q[1] - shared[1]);
  return side(shared, p, q) === 0 && dot > 0;
}

/** Whether the edge passes through the open interior of the rectangle (Liang and Barsky's clipping, 1984). */
function crossesInterior(
  [ax, ay]: Corner,
  [bx, by]: Corner,
  { left, top, right, bottom }: Rectangle,
): boolean {
  let [from, to] = [0, 1];
  for (const [delta, low, high] of [
    [bx - ax, left - ax, right - ax],
    [by - ay, top - ay, bottom - ay],
  ] as const) {
    if (delta === 0) {
      if (low >= 0 || high <= 0) return false;
      continue;
    }
    from = Math.max(from, Math.min(low / delta, high / delta));
    to = Math.min(to, Math.max(low / delta, high / delta));
  }
  return from < to;
}
