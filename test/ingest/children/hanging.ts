import { runCameraChild } from '../../../src/ingest/child/child.ts';

// Loads its detector for ever, and hears nothing meanwhile.
runCameraChild(async () => {
  for (;;);
});
