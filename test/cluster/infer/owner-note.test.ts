import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeOwnerNote,
  encodeOwnerNote,
  type OwnerNote,
  takeOver,
} from '../../../src/cluster/infer/owner-note.ts';

const FIRST = takeOver(null, 'a', 100, 90).note;

describe('a take-over', () => {
  it('reads nothing alone after a clean release, and after none', () => {
    expect(FIRST).toMatchObject({ owner: 'a', aloneUntil: null, deaths: 0 });
    const released: OwnerNote = { ...FIRST, owner: null, position: 500 };
    expect(takeOver(released, 'b', 480, 470)).toMatchObject({ died: false, note: { aloneUntil: null } });
  });

  it('is no death if the same process takes over again', () => {
    expect(takeOver(FIRST, 'a', 100, 90)).toMatchObject({ died: false, note: { aloneUntil: null } });
  });

  it('reads what the dead owner may have begun alone', () => {
    const { died, note } = takeOver({ ...FIRST, position: 120 }, 'b', 110, 90);
    expect(died).toBe(true);
    expect(note.aloneUntil).toBeGreaterThan(120);
    expect(note).toMatchObject({ deaths: 1, reading: null, setAside: [] });
  });

  it('suspects more after each death that no note explains, and forgets them after progress', () => {
    const second = takeOver(FIRST, 'b', 100, 90).note;
    const third = takeOver(second, 'c', 100, 90).note;
    expect(third.deaths).toBe(2);
    expect(third.aloneUntil! - 100).toBe(4 * (second.aloneUntil! - 100));
    expect(takeOver(third, 'd', third.aloneUntil!, 90).note.deaths).toBe(1);
    expect(takeOver({ ...third, owner: null }, 'd', third.aloneUntil!, 90).note.aloneUntil).toBeNull();
  });

  it('sets a record aside at the second death on it, not at deaths on different ones', () => {
    const once = takeOver({ ...FIRST, aloneUntil: 200, reading: 130 }, 'b', 100, 90);
    expect(once).toMatchObject({ newlySetAside: null, note: { diedOn: 130, setAside: [] } });
    const other = takeOver({ ...once.note, reading: 131 }, 'c', 100, 90);
    expect(other).toMatchObject({ newlySetAside: null, note: { diedOn: 131, setAside: [] } });
    const twice = takeOver({ ...other.note, reading: 131 }, 'd', 100, 90);
    expect(twice).toMatchObject({ newlySetAside: 131, note: { diedOn: null, setAside: [131] } });
    expect(twice.note.aloneUntil).toBeGreaterThan(131);
  });

  it('keeps a clean release out of the count', () => {
    const once = takeOver({ ...FIRST, aloneUntil: 200, reading: 130 }, 'b', 100, 90).note;
    const released = { ...once, owner: null, reading: null };
    const next = takeOver(released, 'c', 100, 90).note;
    expect(next).toMatchObject({ diedOn: 130, aloneUntil: once.aloneUntil, setAside: [] });
    expect(takeOver({ ...next, reading: 130 }, 'd', 100, 90).newlySetAside).toBe(130);
  });

  it('remembers records that are set aside for as long as windows are refilled from before them', () => {
    const note = { ...FIRST, setAside: [50, 95], owner: null };
    expect(takeOver(note, 'b', 100, 90).note.setAside).toEqual([95]);
  });
});

describe('the loop that a poison record would be', () => {
  it('ends, whatever is committed between the deaths: the record is found, and no other is set aside', () => {
    const progress = fc.array(fc.nat(5), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(fc.nat(400), progress, (distance, commits) => {
        const poison = 100 + distance;
        let note: OwnerNote | null = null;
        let committed = 100;
        let deaths = 0;
        for (const [owner, commit] of commits.entries()) {
          note = takeOver(note, `owner ${owner}`, committed, committed - 10).note;
          if (note.setAside.includes(poison)) {
            expect(note.setAside).toEqual([poison]);
            // One death for each widening of the suspects, and two on the record itself.
            expect(deaths).toBeLessThanOrEqual(6);
            return;
          }
          committed = Math.min(poison, committed + commit);
          deaths += 1;
          const isAlone: boolean = note.aloneUntil !== null && poison < note.aloneUntil;
          note = isAlone ? { ...note, reading: poison, position: poison + 1 } : note;
        }
        expect.fail('the record killed twenty owners');
      }),
    );
  });
});

describe('a note', () => {
  it('survives encoding', () => {
    const note = { ...FIRST, aloneUntil: 7, reading: 3, diedOn: 2, setAside: [1, 2] };
    expect(decodeOwnerNote(encodeOwnerNote(note))).toEqual(note);
  });

  it('is ignored if it is corrupt, hostile or of another version', () => {
    const json = (value: unknown) => Buffer.from(JSON.stringify(value));
    for (const value of [
      undefined,
      Buffer.alloc(0),
      Buffer.from('{'),
      json(null),
      json([]),
      json({ v: 1, kind: 'camera', epoch: 1 }),
      json({ v: 2, ...FIRST, position: -1 }),
      json({ v: 2, ...FIRST, aloneUntil: '9' }),
      json({ v: 2, ...FIRST, deaths: 1e9 }),
      json({ v: 2, ...FIRST, setAside: Array(100_000).fill(1) }),
    ])
      expect(decodeOwnerNote(value)).toBeNull();
  });
});
