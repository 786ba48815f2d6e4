import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { plotPng, plotSvg } from '../../src/report/plot.ts';
import { firstTrack, frames, recordingOf } from './recorded.ts';

describe('the plot of a face', () => {
  const BLUE = [0x25, 0x63, 0xc9];
  const GREY = [0xe5, 0xe7, 0xe9];

  /** Decodes a PNG; `at` returns the RGB of a point in SVG units. */
  async function decodePng(png: Buffer) {
    const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const at = (x: number, y: number) => {
      const offset = (Math.round(y * 2) * info.width + Math.round(x * 2)) * 3;
      return [...data.subarray(offset, offset + 3)];
    };
    return { at, width: info.width, height: info.height };
  }

  const isClose = (actual: number[], expected: number[]) =>
    actual.every((value, channel) => Math.abs(value - expected[channel]!) < 12);

  test('draws the curve in its colour at its score, and grey where nothing was scored', async () => {
    const steady = { raw: 0.9, p: 0.9, active: false, reliability: null };
    const gappy = frames(20, { skip: (n) => n >= 250 && n < 375, unreliable: (n) => n >= 125 && n < 150 });
    const track = firstTrack(
      recordingOf(
        gappy.map((frame) => (frame.aus.au01 ? { ...frame, aus: { ...frame.aus, au01: steady } } : frame)),
      ),
    );
    const { at, width, height } = await decodePng(await plotPng(track));
    expect([width, height]).toEqual([2680, 1100]);
    // The first lane begins at (230, 84); lanes are 34 high with margins of 2; 20 seconds are 1000 wide.
    const y = 84 + 34 - 2 - 0.9 * 30;
    expect(isClose(at(230 + 100, y), BLUE)).toBe(true);
    expect(isClose(at(230 + 900, y), BLUE)).toBe(true);
    // Between the grid lines, which are one second apart.
    expect(isClose(at(230 + 275, 84 + 6), GREY)).toBe(true);
    expect(isClose(at(230 + 625, 84 + 6), GREY)).toBe(true);
    expect(at(230 + 425, 84 + 8)).toEqual([255, 255, 255]);
  });

  test('renders its text: a font is available', async () => {
    const { at } = await decodePng(await plotPng(firstTrack(recordingOf(frames(2)))));
    const inkCoverage = (x0: number, y0: number, x1: number, y1: number) => {
      let dark = 0;
      for (let y = y0; y < y1; y += 0.5)
        for (let x = x0; x < x1; x += 0.5) if (Math.min(...at(x, y)) < 160) dark += 1;
      return dark / ((x1 - x0) * (y1 - y0) * 4);
    };
    expect(inkCoverage(20, 84 + 8, 60, 84 + 24)).toBeGreaterThan(0.1);
    expect(inkCoverage(66, 84 + 8, 160, 84 + 24)).toBeGreaterThan(0.1);
    expect(inkCoverage(235, 84 + 12 * 34 + 4, 1235, 84 + 12 * 34 + 20)).toBeGreaterThan(0.005);
  });

  test('warns of untrained weights, and escapes names', () => {
    const svg = plotSvg(firstTrack(recordingOf(frames(1, { cameraId: '<script>' }))));
    expect(svg).toContain('untrained weights');
    expect(svg).not.toContain('<script');
  });

  test('shows the single frame of a still image', async () => {
    const [still] = frames(1);
    const steady = { raw: 0.5, p: 0.5, active: false, reliability: null };
    const { at } = await decodePng(
      await plotPng(firstTrack(recordingOf([{ ...still!, aus: { ...still!.aus, au01: steady } }]))),
    );
    expect(isClose(at(230, 84 + 34 - 2 - 15), BLUE)).toBe(true);
  });
});
