import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeState, decodeStateTable, encodeState } from '../../../src/cluster/infer/state-record.ts';
import { KEY, liveState, openInference } from './live-state.ts';

const state = await liveState();
const json = () => JSON.parse(state.toString());
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('a state record', () => {
  it('survives encoding', () => {
    expect(json().activations.length).toBeGreaterThan(0);
    expect(json().waiting.length).toBeGreaterThan(0);
    expect(JSON.parse(encodeState(decodeState(KEY, state)!).toString())).toEqual(json());
  });

  it('written by a worker without zones is read as one of faces in no zone', () => {
    const before = bytes(JSON.parse(state.toString().replaceAll(',"zones":[]', '')));
    expect(before.toString()).not.toContain('zones');
    expect(JSON.parse(encodeState(decodeState(KEY, before)!).toString())).toEqual(json());
  });

  it('of another version is ignored', () => {
    expect(decodeState(KEY, bytes({ v: 2, anything: true }))).toBeNull();
  });

  const BAD: Record<string, [string, Buffer]> = {
    'no JSON': [KEY, Buffer.from('{')],
    nothing: [KEY, Buffer.alloc(0)],
    null: [KEY, bytes(null)],
    'an unknown kind': [KEY, bytes({ v: 1, kind: 'other' })],
    'a live track without its fields': [KEY, bytes({ v: 1, kind: 'live' })],
    'a live track under the key of a camera': ['cam', state],
    'a track key of four parts': ['cam/0/1/2', state],
    'a track key without numbers': ['cam/x/1', state],
    'a camera under the key of a track': [KEY, bytes({ v: 1, kind: 'camera', epoch: 1 })],
    'an epoch of the far future': ['cam', bytes({ v: 1, kind: 'camera', epoch: Number.MAX_SAFE_INTEGER })],
    'a negative offset': [KEY, bytes({ ...json(), window: { offset: -1, frame: 0 } })],
    'a fractional offset': [KEY, bytes({ ...json(), window: { offset: 0.5, frame: 0 } })],
    'scores of another number': [KEY, bytes({ ...json(), taps: [[1, 1, 'AAAA']] })],
    'scores of NaN': [KEY, bytes({ ...json(), taps: [[1, 1, Buffer.alloc(48, 0xff).toString('base64')]] })],
    'an interval of 0': [KEY, bytes({ ...json(), taps: [[1, 0, null]] })],
    '100,000 samples': [KEY, bytes({ ...json(), taps: Array(100_000).fill([1, 1, null]) })],
    'an unknown AU': [KEY, bytes({ ...json(), activations: [['au99', json().activations[0]![1]]] })],
    'a prototype': [KEY, Buffer.from(state.toString().replace('"kind"', '"__proto__":{"x":1},"kin"'))],
    'more bytes than a record has': [KEY, Buffer.alloc(3_000_000, 0x20)],
  };
  it.each(Object.keys(BAD))('is rejected with %s', (name) => {
    expect(() => decodeState(...BAD[name]!)).toThrowError(
      expect.objectContaining({ code: 'MESSAGE_UNREADABLE' }),
    );
  });

  it('that is corrupt costs its track, not its partition, and is deleted', () => {
    const reported: string[] = [];
    const table = new Map([
      [KEY, state],
      ['cam/0/2', Buffer.from('garbage')],
      ['not a key', state],
    ]);
    const states = decodeStateTable(table, (key) => reported.push(key));
    expect(reported).toEqual(['cam/0/2', 'not a key']);
    const inference = openInference(states);
    expect(inference.collect().states).toEqual(
      new Map([
        ['cam/0/2', null],
        ['not a key', null],
      ]),
    );
  });

  it('is one of a bounded number', () => {
    const states = new Map(
      Array.from({ length: 5_000 }, (_, track) => [`cam/0/${track + 1}`, decodeState(KEY, state)]),
    );
    const deleted = [...openInference(states).collect().states.values()];
    expect(deleted.length).toBe(5_000 - 1_024);
    expect(deleted.every((each) => each === null)).toBe(true);
  });

  it('is read or rejected, and its partition opens, whatever bytes change in it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(state.length - 1), fc.integer({ min: 0x20, max: 0x7e })), {
          minLength: 1,
          maxLength: 5,
        }),
        (changes) => {
          const mutated = Buffer.from(state);
          for (const [at, byte] of changes) mutated[at] = byte;
          openInference(decodeStateTable(new Map([[KEY, mutated]]), () => {}));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
