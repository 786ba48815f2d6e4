import { decodeOwnerNote, encodeOwnerNote, takeOver } from '../../../src/cluster/infer/owner-note.ts';
import { decodeState } from '../../../src/cluster/infer/state-record.ts';
import { decodeCamera, defineCamera, encodeCamera } from '../../../src/cluster/ingest/camera-definition.ts';
import { KEY, liveState, openInference } from '../../cluster/infer/live-state.ts';
import type { FuzzTarget } from '../target.ts';

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

/** A value of the state topic. It is read or rejected, and what was read opens a partition. */
export const stateRecord: FuzzTarget = {
  name: 'state record',
  grammar: 'json',
  quick: 1_000,
  seeds: [await liveState(), bytes({ v: 1, kind: 'over', scored: 7 })],
  run(input) {
    openInference(new Map([[KEY, decodeState(KEY, input)]]));
  },
};

const { note } = takeOver(null, 'a worker', 100, 90);

/** The owner's note of the state topic. It is read or ignored, and a take-over follows from it. */
export const ownerNote: FuzzTarget = {
  name: 'owner note',
  grammar: 'json',
  seeds: [encodeOwnerNote(note), encodeOwnerNote({ ...note, aloneUntil: 140, reading: 120, setAside: [99] })],
  run(input) {
    const next = takeOver(decodeOwnerNote(input), 'another', 100, 90);
    if (!decodeOwnerNote(encodeOwnerNote(next.note))) throw new TypeError('the next note is not valid');
  },
};

/** A value of the camera topic. */
export const cameraRecord: FuzzTarget = {
  name: 'camera record',
  grammar: 'json',
  seeds: [encodeCamera(defineCamera({ id: 'lobby', url: 'rtsp://10.0.0.7/stream', password: '${LOBBY}' }))],
  run(input) {
    decodeCamera('lobby', input);
  },
};
