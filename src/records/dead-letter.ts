import { wallMicros } from '../clock.ts';
import type { DeadLetter } from './events.ts';

/** The brokers' default limit of a message is 1 MiB; a dead letter is slightly larger than the message in it. */
const MAX_VALUE_BYTES = 900 * 1024;
/** The key is written twice: in the dead letter and as its own key. Keys of austream have less than 100 bytes. */
const MAX_KEY_BYTES = 4 * 1024;
const MAX_DETAIL_CHARACTERS = 1_000;

/**
 * A dead letter that the brokers accept, whatever the message was: a dead letter that is too large would stop its
 * consumer at the same message forever. What does not fit is null, and `detail` says so.
 */
export function deadLetter(letter: Omit<DeadLetter, 'at'>): DeadLetter {
  const { key, value } = letter;
  const keyFits = key === null || key.length <= MAX_KEY_BYTES;
  const valueFits = value === null || value.length <= MAX_VALUE_BYTES;
  const notes = [
    letter.detail.slice(0, MAX_DETAIL_CHARACTERS),
    ...(keyFits ? [] : [`(the key of ${key.length} bytes is too large for a dead letter)`]),
    ...(valueFits ? [] : [`(the value of ${value.length} bytes is too large for a dead letter)`]),
  ];
  return {
    ...letter,
    at: wallMicros(),
    key: keyFits ? key : null,
    value: valueFits ? value : null,
    detail: notes.join(' '),
  };
}
