import type { DecodedRecord } from '../records/decode.ts';

/** The position of an event in its topic. */
export interface EventPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** `cameraId/trackId`, or `cameraId` for CameraStatus. */
  readonly key: string | null;
}

/**
 * A message without a value: in a compacted topic such as `au.cameras` it deletes its key, which then no longer has a state.
 * What a table keeps for `key` is to be removed.
 */
export interface Tombstone {
  readonly record: 'Tombstone';
  readonly value: null;
}

/** An event and its position. `record` discriminates the union: `if (event.record === 'AuFrame') event.value.aus…` */
export type ConsumedEvent = (DecodedRecord | Tombstone) & EventPlace;
