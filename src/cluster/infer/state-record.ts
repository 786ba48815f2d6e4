import type { AuScores } from '../../domain/scores.ts';
import { AustreamError } from '../../errors.ts';
import type { ActivationState } from '../../infer/activations.ts';
import type { SmoothingSample } from '../../infer/smoothing.ts';
import type { TrackState } from '../../infer/track.ts';
import { describeIssues } from '../../issues.ts';
import { isStateKey, MAX_STATE_BYTES, stateSchema } from './state-schema.ts';
import type { WindowStart } from './window-offsets.ts';

/**
 * The value of a record of the compacted topic `<prefix>infer-state`: what the next owner of a partition needs besides
 * the crops. It is written to the partition of the same number as the crops, in the transaction of the events that it
 * belongs to. Keys: `trackKey` for tracks, the camera id for cameras. A live track's record (smoother, open
 * activations, offset of its window) has about 3 kB.
 */
export type StateRecord =
  | {
      readonly kind: 'live';
      readonly track: TrackState;
      readonly window: WindowStart | null;
      /** Only a live source is closed after `cluster.idleSeconds` of silence; a file may pause for any time. */
      readonly isLiveSource: boolean;
    }
  /** The track ended; crops up to frame `scored` are processed. */
  | { readonly kind: 'over'; readonly scored: number }
  /** The camera's newest epoch. */
  | { readonly kind: 'camera'; readonly epoch: number };

/** Records of other versions are ignored: the track then starts with an empty window. */
const VERSION = 1;

export function encodeState(record: StateRecord): Buffer {
  return Buffer.from(JSON.stringify({ v: VERSION, ...(record.kind === 'live' ? toJson(record) : record) }));
}

/**
 * The state records of one partition by key, without those of other versions. Null: a corrupt or hostile record, which
 * is reported to `unreadable` and must be deleted. Without its record a track starts with an empty window.
 */
export function decodeStateTable(
  table: ReadonlyMap<string, Buffer>,
  unreadable: (key: string, why: string) => void,
): Map<string, StateRecord | null> {
  const states = new Map<string, StateRecord | null>();
  for (const [key, value] of table) {
    try {
      const state = decodeState(key, value);
      if (state) states.set(key, state);
    } catch (error) {
      unreadable(key, (error as Error).message);
      states.set(key, null);
    }
  }
  return states;
}

/** Null for records of other versions. Throws MESSAGE_UNREADABLE for one that no version writes. */
export function decodeState(key: string, value: Buffer): StateRecord | null {
  if (value.length > MAX_STATE_BYTES) throw unreadableError(`${value.length} bytes are too many`);
  let json: unknown;
  try {
    json = JSON.parse(value.toString());
  } catch {
    throw unreadableError('not JSON');
  }
  if (json === null || typeof json !== 'object') throw unreadableError('not an object');
  if ('v' in json && Number.isInteger(json.v) && json.v !== VERSION) return null;
  const result = stateSchema.safeParse(json);
  if (!result.success) throw unreadableError(describeIssues(result.error));
  const record = result.data;
  if (!isStateKey(key, record.kind === 'camera')) throw unreadableError('the key is not that of its kind');
  return record.kind === 'live' ? fromJson(record) : record;
}

function unreadableError(why: string): AustreamError {
  return new AustreamError('MESSAGE_UNREADABLE', `not a valid state record: ${why}`);
}

/** A live track's record as JSON. */
interface LiveJson {
  readonly kind: 'live';
  readonly scored: number;
  /** [captureTime, interval, raw scores]. */
  readonly taps: readonly (readonly [number, number, string | null])[];
  readonly waiting: readonly (Omit<AuScores, 'raw'> & { readonly raw: string | null })[];
  readonly activations: ActivationState;
  readonly window: WindowStart | null;
  /** `isLiveSource`; version 1 of the record calls it `camera`. */
  readonly camera: boolean;
}

function toJson({ track, window, isLiveSource }: Extract<StateRecord, { kind: 'live' }>): LiveJson {
  const { lastScoredFrame, smoother, activations } = track;
  return {
    kind: 'live',
    scored: lastScoredFrame,
    taps: smoother.samples.map(({ captureTime, interval, raw }) => [
      captureTime,
      interval,
      floatsToBase64(raw),
    ]),
    waiting: smoother.pending.map((scores) => ({ ...scores, raw: floatsToBase64(scores.raw) })),
    activations,
    window,
    camera: isLiveSource,
  };
}

function fromJson({ scored, taps, waiting, activations, window, camera }: LiveJson): StateRecord {
  return {
    kind: 'live',
    track: {
      lastScoredFrame: scored,
      smoother: {
        samples: taps.map(
          ([captureTime, interval, raw]): SmoothingSample => ({
            captureTime,
            interval,
            raw: floatsFromBase64(raw),
          }),
        ),
        pending: waiting.map((scores) => ({
          ...scores,
          raw: floatsFromBase64(scores.raw),
        })),
      },
      activations,
    },
    window,
    isLiveSource: camera,
  };
}

/** Little-endian float32 in base64: exact, and shorter than decimals. */
function floatsToBase64(values: Float32Array | null): string | null {
  return values && Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
}

function floatsFromBase64(encoded: string | null): Float32Array | null {
  return encoded === null ? null : new Float32Array(new Uint8Array(Buffer.from(encoded, 'base64')).buffer);
}
