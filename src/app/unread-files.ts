import { isLiveSource } from '../camera/source-url.ts';
import type { ListedCamera } from '../ingest/host/camera-set.ts';

/** Ids of the cameras whose file was not read to its end: it failed, or the process ends before it does. */
export function unreadFiles(cameras: readonly ListedCamera[]): string[] {
  return cameras
    .filter(({ url, status }) => !isLiveSource(url) && status?.cause !== 'CAMERA_ENDED')
    .map(({ id }) => id);
}
