import { expect, it } from 'vitest';
import { Transaction } from '../../../src/cluster/infer/transaction.ts';
import { inferTopics } from '../../../src/cluster/topics.ts';
import type { AuFrame } from '../../../src/domain/event.ts';
import { RecordEncoder } from '../../../src/records/avro.ts';
import { RecordDecoder } from '../../../src/records/decode.ts';
import { frameNumber } from '../../records/samples.ts';

const topics = inferTopics('au.');

function transaction(
  frames: readonly AuFrame[],
  encode = (frame: AuFrame) => new RecordEncoder('AuFrame').encode(frame),
) {
  return new Transaction({
    content: { frames, activations: [], states: new Map([['cam', { kind: 'camera', epoch: 1 }]]), offset: 9 },
    letters: [],
    note: null,
    partition: 0,
    group: 'austream-infer',
    topics,
    encoders: {
      AuFrame: { encode } as RecordEncoder,
      AuActivation: new RecordEncoder('AuActivation'),
      DeadLetter: new RecordEncoder('DeadLetter'),
    },
  });
}
const topicsOf = ({ records }: Transaction) => records.map(({ topic }) => topic).sort();
const letterOf = async ({ records }: Transaction) => {
  const letter = records.find(({ topic }) => topic === topics.deadletter)!;
  const event = await new RecordDecoder().decode(letter.value!);
  return event.record === 'DeadLetter' ? event.value : null;
};
const frames = [1, 2, 3].map((frame) => frameNumber(frame));

it('an event that cannot be encoded becomes a dead letter and concerns no other', async () => {
  const encoder = new RecordEncoder('AuFrame');
  const made = transaction(frames, (frame) => {
    if (frame.frame === 2) throw new Error('no such enum');
    return encoder.encode(frame);
  });
  expect(topicsOf(made)).toEqual(['au.deadletter', 'au.frames', 'au.frames', 'au.infer-state']);
  expect(made.frames.map(({ frame }) => frame)).toEqual([1, 3]);
  expect(made.undeliverable).toEqual([{ cameraId: frames[1]!.cameraId, cause: 'event_invalid' }]);
  expect((await letterOf(made))?.detail).toContain('no such enum');
});

it('an event that is too large for its topic becomes a dead letter with its bytes', async () => {
  const made = transaction(frames);
  const [first] = made.records;
  expect(made.bury([first!])).toBe(true);
  expect(made.frames.map(({ frame }) => frame)).toEqual([2, 3]);
  expect(made.undeliverable).toEqual([{ cameraId: frames[0]!.cameraId, cause: 'record_too_large' }]);
  expect((await letterOf(made))?.value).toEqual(first!.value);
});

it('a dead letter that is too large loses its bytes, then is left out', async () => {
  const made = transaction(frames);
  made.bury(made.records.slice(0, 1));
  const letter = () => made.records.filter(({ topic }) => topic === topics.deadletter);
  expect(made.bury(letter())).toBe(true);
  expect((await letterOf(made))?.value).toBeNull();
  expect(made.bury(letter())).toBe(true);
  expect(letter()).toEqual([]);
});

it('a state is never left out', () => {
  const made = transaction(frames);
  const state = made.records.filter(({ topic }) => topic === topics.state);
  expect(made.bury(state)).toBe(false);
  expect(made.records).toContain(state[0]);
});
