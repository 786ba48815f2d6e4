import { z } from 'zod';

/** The key of a partition's note in the state topic. Camera ids, which are the other keys, begin with a letter or digit. */
export const OWNER_NOTE_KEY = '#owner';

/** Version 1 is that of the state records: workers that know only those ignore the note. */
const VERSION = 2;
/** Records behind the noted position that an owner may have begun. Four times as many for each unexplained death. */
const UNNOTED_RECORDS = 32;
const MAX_DEATHS = 6;
/** More are not remembered: the oldest are the first that no window is refilled from any more. */
const MAX_SET_ASIDE = 256;

const offset = z.number().int().nonnegative();
const schema = z.object({
  /** The process that owns the partition; null: it has released the partition. A note with an owner that is read by another process says that the owner died, or hung until the group excluded it. */
  owner: z.string().max(100).nullable(),
  /** The first record that the owner has not begun, as of its last transaction. */
  position: offset,
  /** Owners in a row that died without a record being known on which they did. */
  deaths: z.number().int().min(0).max(MAX_DEATHS),
  /** Records before this offset are read alone; null: none are. */
  aloneUntil: offset.nullable(),
  /** The record that is read alone at the moment. */
  reading: offset.nullable(),
  /** The record on which an owner died once while it read it alone. */
  diedOn: offset.nullable(),
  /** Records that are skipped for good: two owners died on each. */
  setAside: z.array(offset).max(MAX_SET_ASIDE),
});

/** What the owner of a partition notes in its transactions, so that its successor knows on which record it died. */
export type OwnerNote = z.output<typeof schema>;

export function encodeOwnerNote(note: OwnerNote): Buffer {
  return Buffer.from(JSON.stringify({ v: VERSION, ...note }));
}

/** Null without a note, and for one that this version cannot read. */
export function decodeOwnerNote(value: Buffer | undefined): OwnerNote | null {
  if (value === undefined) return null;
  try {
    const { v, ...note } = JSON.parse(value.toString());
    return v === VERSION ? (schema.safeParse(note).data ?? null) : null;
  } catch {
    return null;
  }
}

export interface TakeOver {
  readonly note: OwnerNote;
  /** The earlier owner died, or hung until the group excluded it. */
  readonly died: boolean;
  /** The record that is set aside by this take-over; null: none. */
  readonly newlySetAside: number | null;
}

/**
 * The note with which `owner` begins. `committed`: the group's committed offset. `start`: the first record that is read,
 * `committed` or earlier.
 *
 * The first death does not tell on which record: from then on the records that the dead owner may have begun are read
 * alone, each noted before it is begun. A record that is noted at two deaths is set aside. One death would not do: the
 * record may be read at the moment when the machine fails.
 */
export function takeOver(
  earlier: OwnerNote | null,
  owner: string,
  committed: number,
  start: number,
): TakeOver {
  if (!earlier) {
    const none = { deaths: 0, aloneUntil: null, reading: null, diedOn: null, setAside: [] };
    return { note: { ...none, owner, position: committed }, died: false, newlySetAside: null };
  }
  const died = earlier.owner !== null && earlier.owner !== owner;
  const samePlace = earlier.aloneUntil !== null && committed < earlier.aloneUntil;
  let { deaths, aloneUntil, diedOn } = samePlace ? earlier : { deaths: 0, aloneUntil: null, diedOn: null };
  let newlySetAside: number | null = null;
  if (died) {
    if (earlier.reading === null) deaths = Math.min(MAX_DEATHS, deaths + 1);
    else if (earlier.diedOn === earlier.reading) newlySetAside = earlier.reading;
    diedOn = newlySetAside === null ? (earlier.reading ?? diedOn) : null;
    const begun = Math.max(committed, earlier.position) + UNNOTED_RECORDS * 4 ** Math.max(0, deaths - 1);
    aloneUntil = Math.max(aloneUntil ?? 0, begun);
  }
  const setAside = [...earlier.setAside, ...(newlySetAside === null ? [] : [newlySetAside])]
    .filter((each) => each >= start)
    .slice(-MAX_SET_ASIDE);
  const position = Math.max(committed, died ? committed : earlier.position);
  return {
    note: { owner, position, deaths, aloneUntil, reading: null, diedOn, setAside },
    died,
    newlySetAside,
  };
}
