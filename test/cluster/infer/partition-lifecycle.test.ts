import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Effect,
  EVENTS,
  type Event,
  isOwned,
  START,
  STATES,
  type State,
  transition,
} from '../../../src/cluster/infer/partition-lifecycle.ts';

/** Every edge: state, event, next state, effects. A pair that is not listed changes nothing. */
const EDGES = `
fencing      opened           restoring    restore
fencing      failed           resetting    warnFailed abandon closeProducer
fencing      revoked          withdrawing  startDeadline
restoring    restored         seeking      seek
restoring    failed           resetting    warnFailed abandon closeProducer
restoring    revoked          withdrawing  startDeadline
seeking      sought           committing   acceptRecords commit
seeking      failed           resetting    warnFailed abandon closeProducer
seeking      revoked          withdrawing  startDeadline
idle         commitDue        committing   commit
idle         failed           resetting    warnFailed abandon closeProducer
idle         revoked          draining     startDeadline commit
committing   committed        idle         reportCommitted awaitCommit
committing   nothingToCommit  idle         awaitCommit
committing   aborted          retrying     warnAborted backOff
committing   failed           resetting    warnFailed abandon closeProducer
committing   revoked          finishing    startDeadline
retrying     retryDue         committing   commitAgain
retrying     revoked          finishing    startDeadline commitAgain
resetting    closed           backingOff   backOff
resetting    revoked          releasing    startDeadline
backingOff   retryDue         fencing      openProducer
backingOff   revoked          released     release
withdrawing  opened           releasing    abandon closeProducer
withdrawing  restored         releasing    abandon closeProducer
withdrawing  sought           releasing    abandon closeProducer
withdrawing  failed           releasing    abandon closeProducer
withdrawing  deadline         releasing    abandon closeProducer
finishing    committed        draining     reportCommitted commit
finishing    nothingToCommit  draining     commit
finishing    aborted          releasing    abandon closeProducer
finishing    failed           releasing    abandon closeProducer
finishing    deadline         releasing    abandon closeProducer
draining     committed        releasing    reportCommitted abandon closeProducer
draining     nothingToCommit  releasing    abandon closeProducer
draining     aborted          releasing    abandon closeProducer
draining     failed           releasing    abandon closeProducer
draining     deadline         releasing    abandon closeProducer
releasing    closed           released     release
releasing    deadline         released     release
releasing    committed        releasing    reportCommitted
releasing    opened           releasing    closeProducer
released     committed        released     reportCommitted
released     opened           released     closeProducer
`
  .trim()
  .split('\n')
  .map((line) => {
    const [state, event, next, ...effects] = line.split(/ +/);
    return { state, event, next, effects };
  });

/** The events in which the step of an effect may end: after success, and after failure. */
const RESULTS: Partial<Record<Effect, { good: Event[]; bad: Event[] }>> = {
  openProducer: { good: ['opened'], bad: ['failed'] },
  restore: { good: ['restored'], bad: ['failed'] },
  seek: { good: ['sought'], bad: ['failed'] },
  awaitCommit: { good: ['commitDue'], bad: ['failed'] },
  commit: { good: ['committed', 'nothingToCommit'], bad: ['aborted', 'failed'] },
  commitAgain: { good: ['committed'], bad: ['aborted', 'failed'] },
  backOff: { good: ['retryDue'], bad: [] },
  closeProducer: { good: ['closed'], bad: [] },
};
/** Steps that end without an event when the partition is revoked. */
const WAITS: readonly Effect[] = ['awaitCommit', 'backOff'];

/** A partition whose steps end as the random numbers say, in any order. Checks the invariants at every effect. */
class SimulatedPartition {
  state: State = START.next;
  readonly running: Effect[] = [];
  /** Producers: initialised and not closed; still being opened. */
  open = 0;
  released = 0;
  commits = 0;
  revoked = false;
  #deadlineRuns = false;
  /** Accepts records of an inference that is not abandoned. */
  #live = false;
  /** A transaction that is committed and not reported. */
  #unreported = 0;

  constructor() {
    for (const effect of START.effects) this.#run(effect);
  }

  dispatch(event: Event): void {
    if (event === 'opened') this.open += 1;
    if (event === 'committed') {
      this.commits += 1;
      this.#unreported += 1;
    }
    const { next, effects } = transition(this.state, event);
    this.state = next;
    for (const effect of effects) this.#run(effect);
    expect(this.#unreported, 'every committed transaction is reported, once').toBe(0);
  }

  /** One of the running steps ends, the partition is revoked, or its deadline passes. */
  advance(choice: number, good: boolean): void {
    const possible: (() => void)[] = this.running.map((effect, index) => () => {
      this.running.splice(index, 1);
      if (this.revoked && WAITS.includes(effect)) return;
      const { good: succeeds, bad } = RESULTS[effect]!;
      const events = good || bad.length === 0 ? succeeds : bad;
      this.dispatch(events[choice % events.length]!);
    });
    if (this.#deadlineRuns)
      possible.push(() => {
        this.#deadlineRuns = false;
        this.dispatch('deadline');
      });
    if (possible.length > 0) possible[choice % possible.length]!();
  }

  revoke(): void {
    if (this.revoked) return;
    this.revoked = true;
    this.dispatch('revoked');
  }

  #run(effect: Effect): void {
    const busy = this.running.filter((other) => !(this.revoked && WAITS.includes(other)));
    if (RESULTS[effect] && effect !== 'closeProducer') {
      expect(busy, `no step beside ${effect}`).toEqual([]);
      this.running.push(effect);
    }
    switch (effect) {
      case 'openProducer':
        expect(this.open, 'no producer is left open').toBe(0);
        expect(this.released).toBe(0);
        break;
      case 'restore':
        expect(this.open, 'the earlier owner is fenced before its state is read').toBe(1);
        break;
      case 'acceptRecords':
        this.#live = true;
        break;
      case 'commit':
      case 'commitAgain':
        expect(this.open, 'nothing is published before the earlier owner is fenced').toBe(1);
        expect(this.#live, 'nothing of an abandoned inference is published').toBe(true);
        break;
      case 'abandon':
        this.#live = false;
        break;
      case 'closeProducer':
        expect(this.#live, 'the inference is abandoned before its producer is closed').toBe(false);
        this.open = 0;
        this.running.push(effect);
        break;
      case 'reportCommitted':
        this.#unreported -= 1;
        break;
      case 'startDeadline':
        expect(this.revoked).toBe(true);
        this.#deadlineRuns = true;
        break;
      case 'release':
        this.released += 1;
        this.#deadlineRuns = false;
        break;
      case 'warnFailed':
      case 'warnAborted':
        expect(this.revoked, 'failures after the revocation are not reported').toBe(false);
        break;
    }
  }
}

describe('the lifecycle of a partition', () => {
  it.each(STATES)('has the listed edges, and no others, from %s', (state) => {
    for (const event of EVENTS) {
      const edge = EDGES.find((candidate) => candidate.state === state && candidate.event === event);
      const expected = { next: edge?.next ?? state, effects: edge?.effects ?? [] };
      expect(transition(state, event), event).toEqual(expected);
    }
  });

  it('lists no edge twice and none with an unknown name', () => {
    expect(new Set(EDGES.map(({ state, event }) => `${state} ${event}`)).size).toBe(EDGES.length);
    for (const { state, event, next } of EDGES) {
      expect(STATES).toContain(state);
      expect(STATES).toContain(next);
      expect(EVENTS).toContain(event);
    }
  });

  it('is the one that docs/protocol.md draws', () => {
    const [, diagram] = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(
      readFileSync('docs/protocol.md', 'utf8'),
    )!;
    const drawn = [...diagram!.matchAll(/^ *(\w+) --> (\w+): (.+)$/gm)].flatMap(([, from, next, events]) =>
      events!.split(', ').map((event) => `${from} ${event} ${next}`),
    );
    const moving = EDGES.filter(({ state, next }) => state !== next);
    expect(drawn.sort()).toEqual(moving.map(({ state, event, next }) => `${state} ${event} ${next}`).sort());
  });

  it('keeps its invariants however steps end and whenever the partition is revoked', () => {
    const step = fc.record({
      choice: fc.nat(1_000),
      good: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false)),
    });
    let commits = 0;
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.array(step, { maxLength: 20 }),
        (before, after) => {
          const partition = new SimulatedPartition();
          for (const { choice, good } of before) partition.advance(choice, good);
          expect(partition.released, 'only a revoked partition is released').toBe(0);
          expect(partition.running, 'there is always a step under way').toHaveLength(1);
          expect(isOwned(partition.state) && partition.open !== 1).toBe(false);
          partition.revoke();
          for (const { choice, good } of after) partition.advance(choice, good);
          while (partition.running.length > 0) partition.advance(0, true);
          expect(partition.state).toBe('released');
          expect(partition.released, 'released exactly once').toBe(1);
          expect(partition.open, 'every producer is closed').toBe(0);
          commits += partition.commits;
        },
      ),
      { numRuns: 500 },
    );
    expect(commits).toBeGreaterThan(200);
  });

  it('never leaves `released`, and releases at most once, whatever the order of events', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 100 }), (events) => {
        let state: State = START.next;
        let released = 0;
        for (const event of events) {
          const { next, effects } = transition(state, event);
          if (state === 'released') expect(next).toBe('released');
          released += effects.filter((effect) => effect === 'release').length;
          state = next;
        }
        expect(released).toBe(state === 'released' ? 1 : 0);
      }),
    );
  });
});
