/**
 * The life of one partition in one inference worker, from its assignment to its release, as a state machine. This file
 * is pure: `transition` returns the next state, `PartitionOwner` runs the effects and dispatches their results as events.
 * docs/protocol.md draws it.
 */
export const STATES = [
  /** Opening the transactional producer, which fences the earlier owner's. */
  'fencing',
  /** Reading the group's committed offset, then the state records. */
  'restoring',
  /** Moving the consumer to the offset from which windows can be refilled. */
  'seeking',
  /** Owned; nothing to commit yet. */
  'idle',
  /** Owned; a transaction is under way. */
  'committing',
  /** Owned; the transaction was aborted and waits to be published again. */
  'retrying',
  /** Failed: closing the producer. */
  'resetting',
  /** Failed: waiting before the partition is taken over again. */
  'backingOff',
  /** Revoked during the take-over: the step under way ends first. */
  'withdrawing',
  /** Revoked during a transaction: that transaction ends first. */
  'finishing',
  /** Revoked: the last transaction, with everything that is scored by now. */
  'draining',
  /** Revoked: closing the producer. */
  'releasing',
  /** The next owner may have the partition. */
  'released',
] as const;
export type State = (typeof STATES)[number];

export const EVENTS = [
  /** The producer is initialised: every earlier owner is fenced. */
  'opened',
  'restored',
  'sought',
  /** There may be something to commit, and `cluster.commitMs` have passed since the last transaction. */
  'commitDue',
  'committed',
  'nothingToCommit',
  /** The transaction was aborted; the producer is still good. */
  'aborted',
  'retryDue',
  /** A step failed. A producer that is open cannot be used any more. */
  'failed',
  /** The producer is closed. */
  'closed',
  /** The group takes the partition away, or the worker stops. */
  'revoked',
  /** The group does not wait any longer for the release. */
  'deadline',
] as const;
export type Event = (typeof EVENTS)[number];

/** An effect is a step that ends in one of the events on its right, or is done at once. One step runs at a time. */
export type Effect =
  | 'openProducer' // → opened, failed
  | 'restore' // → restored, failed
  | 'seek' // → sought, failed
  | 'acceptRecords'
  | 'awaitCommit' // → commitDue, failed, unless revoked
  | 'commit' // → committed, nothingToCommit, aborted, failed
  | 'commitAgain' // the same transaction; → committed, aborted, failed
  | 'backOff' // → retryDue, unless revoked
  | 'abandon' // drops the inference with everything that is not committed
  | 'closeProducer' // → closed
  | 'reportCommitted'
  | 'warnAborted'
  | 'warnFailed'
  | 'startDeadline' // → deadline; calls to the brokers are no longer retried
  | 'release';

export interface Transition {
  readonly next: State;
  readonly effects: readonly Effect[];
}

const to = (next: State, ...effects: Effect[]): Transition => ({ next, effects });
const reset = { failed: to('resetting', 'warnFailed', 'abandon', 'closeProducer') };
const RELEASE = to('releasing', 'abandon', 'closeProducer');
const WITHDRAW = to('withdrawing', 'startDeadline');

/** Events that are not listed change nothing: they are results of steps that a revocation has overtaken. */
const TABLE: Readonly<Record<State, Partial<Record<Event, Transition>>>> = {
  fencing: {
    opened: to('restoring', 'restore'),
    ...reset,
    revoked: WITHDRAW,
  },
  restoring: {
    restored: to('seeking', 'seek'),
    ...reset,
    revoked: WITHDRAW,
  },
  seeking: {
    sought: to('committing', 'acceptRecords', 'commit'),
    ...reset,
    revoked: WITHDRAW,
  },
  idle: {
    commitDue: to('committing', 'commit'),
    // The crops topic was deleted and begins anew.
    ...reset,
    revoked: to('draining', 'startDeadline', 'commit'),
  },
  committing: {
    committed: to('idle', 'reportCommitted', 'awaitCommit'),
    nothingToCommit: to('idle', 'awaitCommit'),
    aborted: to('retrying', 'warnAborted', 'backOff'),
    ...reset,
    revoked: to('finishing', 'startDeadline'),
  },
  retrying: {
    retryDue: to('committing', 'commitAgain'),
    revoked: to('finishing', 'startDeadline', 'commitAgain'),
  },
  resetting: {
    closed: to('backingOff', 'backOff'),
    revoked: to('releasing', 'startDeadline'),
  },
  backingOff: {
    retryDue: to('fencing', 'openProducer'),
    revoked: to('released', 'release'),
  },
  withdrawing: {
    opened: RELEASE,
    restored: RELEASE,
    sought: RELEASE,
    failed: RELEASE,
    deadline: RELEASE,
  },
  finishing: {
    committed: to('draining', 'reportCommitted', 'commit'),
    nothingToCommit: to('draining', 'commit'),
    // Later events must not be published before this transaction. The next owner recomputes both.
    aborted: RELEASE,
    failed: RELEASE,
    deadline: RELEASE,
  },
  draining: {
    committed: to('releasing', 'reportCommitted', 'abandon', 'closeProducer'),
    nothingToCommit: RELEASE,
    aborted: RELEASE,
    failed: RELEASE,
    deadline: RELEASE,
  },
  releasing: {
    closed: to('released', 'release'),
    deadline: to('released', 'release'),
    // After the deadline: the transaction was committed after all, or the producer was opened late.
    committed: to('releasing', 'reportCommitted'),
    opened: to('releasing', 'closeProducer'),
  },
  released: {
    committed: to('released', 'reportCommitted'),
    opened: to('released', 'closeProducer'),
  },
};

export const START = to('fencing', 'openProducer');

export function transition(state: State, event: Event): Transition {
  return TABLE[state][event] ?? { next: state, effects: [] };
}

/** The take-over is complete and the partition is not released yet: records are scored. */
export function isOwned(state: State): boolean {
  return ['idle', 'committing', 'retrying', 'finishing', 'draining'].includes(state);
}
