import { expect, test } from 'vitest';
import { FormatReader } from '../../../src/ingest/child/format-reader.ts';
import { gdp, pulledFrame } from './pulled-frame.ts';

test('the format is that of the newest streamheader, and only another picture is a change', () => {
  const formats = new FormatReader();
  expect(formats.format).toBeNull();
  const read = (options: Parameters<typeof pulledFrame>[1]) =>
    formats.read(pulledFrame(0, options).streamheader);
  expect(read({ width: 64, height: 48 })).toBe(false);
  expect(formats.format).toMatchObject({ width: 64, height: 48, fps: 25 });
  expect(read({ width: 64, height: 48 })).toBe(false);
  expect(read({ width: 64, height: 48, fps: 50 })).toBe(false);
  expect(formats.format).toMatchObject({ fps: 50 });
  expect(read({ width: 32, height: 24 })).toBe(true);
  expect(formats.format).toMatchObject({ width: 32, height: 24 });
});

test('a streamheader without I420 caps keeps the format', () => {
  const formats = new FormatReader();
  formats.read(pulledFrame(0).streamheader);
  const { format } = formats;
  expect(formats.read([])).toBe(false);
  expect(formats.read([Buffer.alloc(10), gdp(2, Buffer.from('audio/x-raw'))])).toBe(false);
  expect(formats.format).toBe(format);
});
