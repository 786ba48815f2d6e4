import { describe, expect, test } from 'vitest';
import { FrameAreas } from '../../src/detect/areas.ts';

describe('FrameAreas', () => {
  const left = [
    [0, 0],
    [0.5, 0],
    [0.5, 1],
    [0, 1],
  ] as const;
  const areas = new FrameAreas({ masks: [left], zones: [{ id: 'left', polygon: left }] }, 200, 100);

  test.each([
    ['left of the frame', { x: -60, y: 30, w: 40, h: 40 }, true],
    ['above its left half', { x: 20, y: -50, w: 40, h: 40 }, true],
    ['below its left half', { x: 20, y: 90, w: 40, h: 40 }, true],
    ['right of the frame', { x: 190, y: 30, w: 40, h: 40 }, false],
  ])('a face whose centre lies %s counts at the edge', (_, box, inside) => {
    expect(areas.isMasked(box)).toBe(inside);
    expect(areas.zonesOf(box)).toEqual(inside ? ['left'] : []);
  });
});
