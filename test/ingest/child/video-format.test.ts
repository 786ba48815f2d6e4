import { describe, expect, test } from 'vitest';
import { parseCaps } from '../../../src/ingest/child/video-format.ts';

describe('I420 caps', () => {
  test.each([
    ['colorimetry=(string)bt709, framerate=(fraction)30000/1001', 'bt709', false, 29.97],
    ['colorimetry=(string)bt601, framerate=(fraction)0/1', 'bt601', false, null],
    ['colorimetry=(string)1:4:0:0, framerate=(fraction)25/1', 'bt601', true, 25],
    ['colorimetry=(string)2:3:5:1, framerate=(fraction)25/1', 'bt709', false, 25],
    ['framerate=(fraction)90000/1', 'bt601', false, null],
  ] as const)('%s', (fields, matrix, fullRange, fps) => {
    const format = parseCaps(`video/x-raw, width=(int)641, height=(int)361, format=(string)I420, ${fields}`)!;
    expect(format).toMatchObject({ width: 641, height: 361, matrix, fullRange });
    if (fps === null) expect(format.fps).toBeNull();
    else expect(format.fps).toBeCloseTo(fps, 2);
  });

  test('caps of another format are not parsed', () => {
    expect(parseCaps('video/x-raw, width=(int)640, height=(int)360, format=(string)NV12')).toBeNull();
    expect(parseCaps('application/x-gdp')).toBeNull();
  });
});
