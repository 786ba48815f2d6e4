import { expect, test } from 'vitest';
import { readUnixAtZero } from '../../../../src/ingest/child/clock/rtcp-reader.ts';
import { rtpPipeline } from './rtp-pipeline.ts';

const UNIX = 1_700_000_000_250_000;

test('the sender report of a running pipeline gives the Unix time at running time 0', () => {
  const pipeline = rtpPipeline();
  expect(readUnixAtZero(pipeline)).toBeNull();
  pipeline.reportUnix(UNIX);
  expect(readUnixAtZero(pipeline)).toBeCloseTo(UNIX, 0);
});

test('a report in another session of the stream is found', () => {
  const pipeline = rtpPipeline();
  pipeline.reportUnix(UNIX);
  const property = (element: string, name: string) =>
    element === 'rtpsession0'
      ? 'application/x-rtp-session-stats;'
      : pipeline.property(element.replace('rtpsession1', 'rtpsession0'), name);
  expect(readUnixAtZero({ property })).toBeCloseTo(UNIX, 0);
});

test('without RTP, and where a packet arrives during the read, there is no time', () => {
  expect(readUnixAtZero({ property: () => undefined })).toBeNull();
  const pipeline = rtpPipeline();
  pipeline.reportUnix(UNIX);
  const property = (element: string, name: string) => {
    if (name === 'stats' && element === 'rtph264depay0') pipeline.packetArrives();
    return pipeline.property(element, name);
  };
  expect(readUnixAtZero({ property })).toBeNull();
});
