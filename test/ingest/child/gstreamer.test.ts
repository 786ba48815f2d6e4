import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Pipeline } from '../../../src/ingest/child/gstreamer.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

test('reading a property of a running element leaks no memory', async () => {
  const pipeline = new Pipeline(
    'videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=30/1 ! jpegenc ! rtpjpegpay ! rtpjpegdepay name=depay ! appsink name=sink max-buffers=1 drop=true',
    {},
  );
  pipeline.play();
  try {
    await expect.poll(() => String(pipeline.property('depay', 'stats'))).toContain('timestamp');
    /** Resident memory after that many reads. */
    const rssAfter = async (reads: number) => {
      for (let read = 0; read < reads; read += 1) {
        pipeline.property('depay', 'stats');
        if (read % 1_000 === 0) await setTimeout();
      }
      collectGarbage();
      return process.memoryUsage.rss();
    };
    const before = await rssAfter(5_000);
    // Without the patch of bin/setup each read leaks more than a kilobyte. A camera process reads for months.
    expect(((await rssAfter(20_000)) - before) / 20_000).toBeLessThan(300);
  } finally {
    pipeline.stop();
  }
}, 60_000);
