import type { DecodedRecord } from '../records/decode.ts';

/** The position of an event in its topic. */
export interface EventPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** `cameraId/trackId`, or `cameraId` for CameraStatus. */
  readonly key: string | null;
}

/** An event and its position. `record` discriminates the union: `if (event.record === 'AuFrame') event.value.aus…` */
export type ConsumedEvent = DecodedRecord & EventPlace;
