import { runCameraChild } from '../../../src/ingest/child/child.ts';
import { openChecksum } from './checksum.ts';

runCameraChild((options) => {
  // As a machine that has no time for this process.
  setInterval(() => {
    const until = performance.now() + 1_200;
    while (performance.now() < until);
  }, 2_000);
  return openChecksum(options, 0);
});
