import type { DashboardHub } from '../../src/dashboard/store.ts';
import { detectOptions } from '../../src/detect/options.ts';
import { CameraSet } from '../../src/ingest/host/cameras.ts';
import { ingestOptions } from '../../src/ingest/options.ts';

/** A set of cameras, as a pipeline has it, in which there is none yet; the hub learns how they fare. */
export function noCameras(hub: DashboardHub): CameraSet {
  return new CameraSet(
    { ingest: ingestOptions.parse({}), detect: detectOptions.parse({}) },
    { faces: (faces) => hub.pictures(faces), epochEnded: () => {}, status: (status) => hub.status(status) },
  );
}
