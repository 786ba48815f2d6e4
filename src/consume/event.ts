import type { DecodedRecord } from '../records/decode.ts';

/** Where an event stood. */
export interface EventPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** `cameraId/trackId`, or `cameraId` for CameraStatus. */
  readonly key: string | null;
}

/** An event with its record's name, which tells the types apart: `if (event.record === 'AuFrame') event.value.aus…` */
export type ConsumedEvent = DecodedRecord & EventPlace;
