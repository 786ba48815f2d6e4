import { runCameraChild } from '../../../src/ingest/child/child.ts';

// Never finishes loading its detector, and processes no messages meanwhile.
runCameraChild(async () => {
  for (;;);
});
