/** Identifies one face track: `trackId` is unique within one epoch of one camera. */
export interface TrackKey {
  readonly cameraId: string;
  readonly epoch: number;
  readonly trackId: number;
}

/** `cameraId/epoch/trackId`: the key of maps and of the state topic. Camera ids hold no slash. */
export function trackKey({ cameraId, epoch, trackId }: TrackKey): string {
  return `${cameraId}/${epoch}/${trackId}`;
}

/** The inverse of `trackKey`; null if `key` has fewer than three parts. */
export function parseTrackKey(key: string): TrackKey | null {
  const [cameraId, epoch, trackId] = key.split('/');
  if (cameraId === undefined || epoch === undefined || trackId === undefined) return null;
  return { cameraId, epoch: Number(epoch), trackId: Number(trackId) };
}

/** `cameraId/trackId`: the Kafka key of every record of one face, so that all go to one partition. */
export function faceKey({ cameraId, trackId }: Pick<TrackKey, 'cameraId' | 'trackId'>): string {
  return `${cameraId}/${trackId}`;
}

/** `cameraId/epoch/trackId/frame`: deterministic, so that a consumer can drop a redelivery. */
export function eventId(face: TrackKey & { readonly frame: number }): string {
  return `${trackKey(face)}/${face.frame}`;
}
