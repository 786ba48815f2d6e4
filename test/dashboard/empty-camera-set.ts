import type { DashboardStore } from '../../src/dashboard/store.ts';
import { detectOptions } from '../../src/detect/options.ts';
import { CameraSet } from '../../src/ingest/host/camera-set.ts';
import { ingestOptions } from '../../src/ingest/options.ts';

/** An empty camera set, as a pipeline has it; its cameras report to the store. */
export function emptyCameraSet(store: DashboardStore): CameraSet {
  return new CameraSet(
    { ingest: ingestOptions.parse({}), detect: detectOptions.parse({}) },
    {
      faces: (faces) => store.addCrops(faces),
      epochEnded: () => {},
      status: (status) => store.updateCamera(status),
    },
  );
}
