import { runCameraChild } from '../../../src/ingest/child/child.ts';
import { openChecksum } from './checksum.ts';

runCameraChild((options) => {
  // Blocks for 1.2 s every 2 s, like a machine without CPU time for this process.
  setInterval(() => {
    const until = performance.now() + 1_200;
    while (performance.now() < until);
  }, 2_000);
  return openChecksum(options);
});
