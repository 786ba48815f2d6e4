import { CameraOwners } from '../cluster/ingest/camera-owners.ts';
import type { Config } from '../config/schema.ts';
import type { CameraSet } from '../ingest/host/camera-set.ts';
import type { Publisher } from '../publish/publisher.ts';

/**
 * This process among those that run cameras with the same brokers. Null with the embedded broker, which no other process
 * uses. `beat`: repeats the start of a camera's epoch to those that score its crops.
 */
export function openOwners(
  { kafka, ingest }: Config,
  publisher: Publisher,
  cameras: () => CameraSet,
  beat?: (cameraId: string) => void,
): CameraOwners | null {
  if (kafka.embedded) return null;
  return new CameraOwners(
    kafka,
    { statusSeconds: ingest.statusSeconds },
    {
      publish: (status) => publisher.status(status),
      yield: (cameraId, detail) => void cameras().yield(cameraId, detail),
      takeOver: (cameraId) => void cameras().takeOver(cameraId),
      ...(beat ? { beat } : {}),
    },
  );
}
