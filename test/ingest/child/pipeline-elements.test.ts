import { expect, test } from 'vitest';
import { findCodec, findDepayloader } from '../../../src/ingest/child/pipeline-elements.ts';

const pipelineWith = (...elements: string[]) => ({
  property: (element: string) => (elements.includes(element) ? element : undefined),
});

test.each([
  [['rtph264depay0', 'h264parse0'], 'rtph264depay0', 'h264'],
  [['rtph265depay0'], 'rtph265depay0', 'h265'],
  [['jpegparse0'], undefined, 'mjpeg'],
  [['vp8dec0'], undefined, null],
])('of the elements %j the depayloader is %s and the codec %s', (elements, depayloader, codec) => {
  expect(findDepayloader(pipelineWith(...elements))).toBe(depayloader);
  expect(findCodec(pipelineWith(...elements))).toBe(codec);
});
