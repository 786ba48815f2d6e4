import type { AuScores } from '../../domain/scores.ts';
import type { ActivationState } from '../../infer/activations.ts';
import type { Tap } from '../../infer/smoothing.ts';
import type { TrackState } from '../../infer/track.ts';
import type { WindowStart } from './window-offsets.ts';

/**
 * What inference workers leave to each other in the compacted topic `<prefix>infer-state`, in the partition of the
 * crops that it is about, within the transaction that carries the events it belongs to. A track's record is its
 * smoother, its open activations and the place of its window in the crops: about 3 kB. A camera's record is its epoch.
 */
export type StateRecord =
  | {
      readonly kind: 'live';
      readonly track: TrackState;
      readonly window: WindowStart | null;
      /** Only a live source is closed after `cluster.idleSeconds` of silence; a file may pause for any time. */
      readonly isLiveSource: boolean;
    }
  /** Over, or silent for long: crops up to `scored` were dealt with. */
  | { readonly kind: 'over'; readonly scored: number }
  | { readonly kind: 'camera'; readonly epoch: number };

/** Readers pass over records of other versions: the track then starts with an empty window. */
const VERSION = 1;

export function encodeState(record: StateRecord): Buffer {
  return Buffer.from(JSON.stringify({ v: VERSION, ...(record.kind === 'live' ? packed(record) : record) }));
}

/** Null for records of other versions. */
export function decodeState(value: Buffer): StateRecord | null {
  const { v, ...record } = JSON.parse(value.toString()) as { v: number } & (PackedLive | StateRecord);
  if (v !== VERSION) return null;
  return record.kind === 'live' ? unpacked(record as PackedLive) : (record as StateRecord);
}

interface PackedLive {
  readonly kind: 'live';
  readonly scored: number;
  /** captureTime, interval, scores. */
  readonly taps: readonly (readonly [number, number, string | null])[];
  readonly waiting: readonly (Omit<AuScores, 'raw'> & { readonly raw: string | null })[];
  readonly activations: ActivationState;
  readonly window: WindowStart | null;
  /** `isLiveSource`; the name on the wire is that of version 1. */
  readonly camera: boolean;
}

function packed({ track, window, isLiveSource }: Extract<StateRecord, { kind: 'live' }>): PackedLive {
  const { scored, smoother, activations } = track;
  return {
    kind: 'live',
    scored,
    taps: smoother.taps.map(({ captureTime, interval, raw }) => [captureTime, interval, text(raw)]),
    waiting: smoother.waiting.map((scores) => ({ ...scores, raw: text(scores.raw) })),
    activations,
    window,
    camera: isLiveSource,
  };
}

function unpacked({ scored, taps, waiting, activations, window, camera }: PackedLive): StateRecord {
  return {
    kind: 'live',
    track: {
      scored,
      smoother: {
        taps: taps.map(([captureTime, interval, raw]): Tap => ({ captureTime, interval, raw: floats(raw) })),
        waiting: waiting.map((scores) => ({ ...scores, raw: floats(scores.raw) })),
      },
      activations,
    },
    window,
    isLiveSource: camera,
  };
}

/** Floats bit by bit: decimals would be longer. */
function text(values: Float32Array | null): string | null {
  return values && Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
}

function floats(encoded: string | null): Float32Array | null {
  return encoded === null ? null : new Float32Array(new Uint8Array(Buffer.from(encoded, 'base64')).buffer);
}
