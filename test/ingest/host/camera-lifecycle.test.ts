import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AustreamError } from '../../../src/errors.ts';
import {
  type CameraEvent,
  type CameraEventType,
  type CameraLifecycle,
  EFFECTS,
  type Effect,
  ImpossibleEventError,
  newLifecycle,
  PHASES,
  type Phase,
  type SourceKind,
  TRANSITIONS,
  transition,
} from '../../../src/ingest/host/camera-lifecycle.ts';
import { isWatched } from '../../../src/ingest/host/watchdog.ts';

/** phase, event, source → next phase, effects. Every pair that is neither here nor in IGNORED is impossible. */
const MOVES = `
  Idle       start       any  → Waiting    publishConnecting acquireStartSlot
  Idle       refused     any  → Refused    publishRefused
  Idle       stop        any  → Stopped    publishStopped settle
  Idle       pause       any  → Paused     publishPaused
  Refused    start       any  → Waiting    publishConnecting acquireStartSlot
  Refused    refused     any  → Refused    publishRefused
  Refused    stop        any  → Stopped    publishStopped settle
  Refused    pause       any  → Paused     publishPaused
  Waiting    slotGranted any  → Starting   spawnChild
  Waiting    stop        any  → Stopped    publishStopped settle
  Waiting    pause       any  → Paused     abandonStartSlot publishPaused
  Starting   spawnFailed live → Backoff    releaseStartSlot publishReconnecting scheduleRetry
  Starting   spawnFailed file → Stopped    releaseStartSlot publishFailed settleWithFailure
  Starting   stop        any  → Stopping   releaseStartSlot stopChild
  Starting   pause       any  → Pausing    releaseStartSlot discardEpoch stopChild
  Starting   childGone   live → Backoff    forgetChild releaseStartSlot endEpoch publishReconnecting scheduleRetry
  Starting   childGone   file → Failed     forgetChild releaseStartSlot flushEpoch
  Starting   opening     any  → Connecting releaseStartSlot noteProgress sendThrottle
  Starting   failed      any  → Failing
  Starting   unhealthy   any  → Killing    killChild
  Connecting stop        any  → Stopping   releaseStartSlot stopChild
  Connecting pause       any  → Pausing    releaseStartSlot discardEpoch stopChild
  Connecting resolved    any  → Connecting recordResolved
  Connecting report      any  → Connecting recordReport
  Connecting childGone   live → Backoff    forgetChild releaseStartSlot endEpoch publishReconnecting scheduleRetry
  Connecting childGone   file → Failed     forgetChild releaseStartSlot flushEpoch
  Connecting opening     any  → Connecting noteProgress sendThrottle
  Connecting connected   any  → Connected
  Connecting epoch       any  → Live       noteProgress resetBackoff recordEpoch
  Connecting failed      any  → Failing
  Connecting ended       file → Ending
  Connecting unhealthy   any  → Killing    killChild
  Connected  stop        any  → Stopping   releaseStartSlot stopChild
  Connected  pause       any  → Pausing    releaseStartSlot discardEpoch stopChild
  Connected  resolved    any  → Connected  recordResolved
  Connected  report      any  → Connected  recordReport
  Connected  childGone   live → Backoff    forgetChild releaseStartSlot endEpoch publishReconnecting scheduleRetry
  Connected  childGone   file → Failed     forgetChild releaseStartSlot flushEpoch
  Connected  epoch       any  → Live       noteProgress resetBackoff recordEpoch
  Connected  failed      any  → Failing
  Connected  ended       file → Ending
  Connected  unhealthy   any  → Killing    killChild
  Live       stop        any  → Stopping   releaseStartSlot stopChild
  Live       pause       any  → Pausing    releaseStartSlot discardEpoch stopChild
  Live       resolved    any  → Live       recordResolved
  Live       report      any  → Live       recordReport
  Live       childGone   live → Backoff    forgetChild releaseStartSlot endEpoch publishReconnecting scheduleRetry
  Live       childGone   file → Failed     forgetChild releaseStartSlot flushEpoch
  Live       epoch       any  → Live       noteProgress resetBackoff recordEpoch
  Live       failed      any  → Failing
  Live       ended       file → Ending
  Live       stalled     live → Killing    publishStalled killChild
  Live       unhealthy   any  → Killing    killChild
  Failing    stop        any  → Stopping   releaseStartSlot stopChild
  Failing    pause       any  → Pausing    releaseStartSlot discardEpoch stopChild
  Failing    resolved    any  → Failing    recordResolved
  Failing    report      any  → Failing    recordReport
  Failing    childGone   live → Backoff    forgetChild releaseStartSlot endEpoch publishReconnecting scheduleRetry
  Failing    childGone   file → Failed     forgetChild releaseStartSlot flushEpoch
  Failing    epoch       any  → Failing    resetBackoff recordEpoch
  Failing    failed      any  → Failing
  Failing    ended       file → Ending
  Killing    stop        any  → Stopping   releaseStartSlot stopChild
  Killing    pause       any  → Pausing    releaseStartSlot discardEpoch stopChild
  Killing    resolved    any  → Killing    recordResolved
  Killing    report      any  → Killing    recordReport
  Killing    childGone   live → Backoff    forgetChild releaseStartSlot endEpoch publishReconnecting scheduleRetry
  Killing    childGone   file → Failed     forgetChild releaseStartSlot flushEpoch
  Killing    epoch       any  → Killing    resetBackoff recordEpoch
  Killing    failed      any  → Killing
  Killing    ended       file → Ending
  Backoff    stop        any  → Stopped    cancelRetry publishStopped settle
  Backoff    retryDue    any  → Waiting    acquireStartSlot
  Backoff    pause       any  → Paused     cancelRetry publishPaused
  Pausing    stop        any  → Stopping
  Pausing    pause       any  → Pausing
  Pausing    resolved    any  → Pausing    recordResolved
  Pausing    report      any  → Pausing    recordReport
  Pausing    childGone   any  → Paused     forgetChild releaseStartSlot endEpoch publishPaused
  Paused     start       any  → Waiting    publishConnecting acquireStartSlot
  Paused     refused     any  → Refused    publishRefused
  Paused     pause       any  → Paused     publishPaused
  Paused     stop        any  → Stopped    publishStopped settle
  Ending     flushed     any  → Stopped    publishEnded settle
  Ending     stop        any  → Stopping   releaseStartSlot stopChild
  Ending     resolved    any  → Ending     recordResolved
  Ending     report      any  → Ending     recordReport
  Ending     childGone   any  → Ending     forgetChild releaseStartSlot flushEpoch
  Ending     unhealthy   any  → Ending     killChild
  Failed     stop        any  → Stopping
  Failed     flushed     any  → Stopped    publishFailed settleWithFailure
  Stopping   flushed     any  → Stopped    publishStopped settle
  Stopping   resolved    any  → Stopping   recordResolved
  Stopping   report      any  → Stopping   recordReport
  Stopping   childGone   any  → Stopping   forgetChild releaseStartSlot flushEpoch
  Stopping   epoch       any  → Stopping   resetBackoff recordEpoch
  Stopped    slotGranted any  → Stopped    releaseStartSlot
`;
/** phase, source, events */
const IGNORED = `
  Connecting live ended
  Connected  any  connected
  Connected  live ended
  Live       any  connected
  Live       live ended
  Failing    any  opening connected stalled unhealthy
  Failing    live ended
  Killing    any  opening connected stalled unhealthy
  Killing    live ended
  Pausing    any  opening connected epoch failed ended stalled unhealthy
  Ending     any  failed pause
  Failed     any  pause
  Stopping   any  stop pause opening connected failed ended stalled unhealthy
  Stopped    any  stop pause
`;

const SOURCES = ['live', 'file'] as const;
const failure = (message: string) => new AustreamError('CAMERA_UNREACHABLE', message);
const EVENTS: Readonly<Record<CameraEventType, CameraEvent>> = {
  start: { type: 'start' },
  refused: { type: 'refused', detail: 'no room' },
  stop: { type: 'stop', cause: 'removed' },
  pause: { type: 'pause', pause: { cause: 'operator', detail: 'paused by an operator' } },
  slotGranted: { type: 'slotGranted' },
  spawnFailed: { type: 'spawnFailed', failure: failure('spawnFailed') },
  opening: { type: 'opening' },
  resolved: { type: 'resolved', detail: 'profile 1' },
  connected: { type: 'connected' },
  epoch: {
    type: 'epoch',
    epoch: 7,
    cause: 'first_frame',
    width: 64,
    height: 48,
    codec: 'h264',
    clockSource: 'arrival',
    clockErrorMs: null,
    captureTime: 1,
    receivedAt: 1,
  },
  report: {
    type: 'report',
    rss: 1,
    decoded: 1,
    analysed: 1,
    drops: {},
    clockErrorMs: null,
    driftPpm: null,
  },
  failed: { type: 'failed', failure: failure('failed') },
  ended: { type: 'ended' },
  stalled: { type: 'stalled', failure: failure('stalled') },
  unhealthy: { type: 'unhealthy', failure: failure('unhealthy') },
  childGone: { type: 'childGone', failure: failure('childGone') },
  flushed: { type: 'flushed' },
  retryDue: { type: 'retryDue' },
};
const EVENT_TYPES = Object.keys(EVENTS) as CameraEventType[];

type Expected = { to: string; effects: string[] } | 'ignored';

function expectedOutcomes(): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  const rows = (table: string) =>
    table
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
  const add = (phase: string, event: string, source: string, outcome: Expected) => {
    for (const kind of source === 'any' ? SOURCES : [source]) {
      const key = `${phase} ${event} ${kind}`;
      if (expected.has(key)) throw new Error(`${key} is listed twice`);
      expected.set(key, outcome);
    }
  };
  for (const [phase, event, source, , to, ...effects] of rows(MOVES))
    add(phase!, event!, source!, { to: to!, effects });
  for (const [phase, source, ...events] of rows(IGNORED))
    for (const event of events) add(phase!, event, source!, 'ignored');
  return expected;
}

describe('the transition table', () => {
  const expected = expectedOutcomes();
  const edges = PHASES.flatMap((phase) =>
    EVENT_TYPES.flatMap((event) => SOURCES.map((source) => [phase, event, source] as const)),
  );

  test.each(edges)('%s, %s (%s)', (phase, event, source) => {
    const state: CameraLifecycle = { ...newLifecycle(source), phase };
    const outcome = expected.get(`${phase} ${event} ${source}`);
    if (outcome === undefined) expect(() => transition(state, EVENTS[event])).toThrow(ImpossibleEventError);
    else if (outcome === 'ignored') expect(transition(state, EVENTS[event])).toEqual({ state, effects: [] });
    else {
      const next = transition(state, EVENTS[event]);
      expect([next.state.phase, next.effects]).toEqual([outcome.to, outcome.effects]);
    }
  });

  test('names every phase, event and effect', () => {
    expect(Object.keys(TRANSITIONS)).toEqual([...PHASES]);
    for (const phase of PHASES)
      expect(Object.keys(TRANSITIONS[phase]).sort()).toEqual([...EVENT_TYPES].sort());
    const used = new Set(
      [...expected.values()].flatMap((outcome) => (outcome === 'ignored' ? [] : outcome.effects)),
    );
    expect([...used].sort()).toEqual([...EFFECTS].sort());
  });
});

describe('the failure of a child', () => {
  const failureAfter = (...events: CameraEventType[]) =>
    events.reduce((state, event) => transition(state, EVENTS[event]).state, newLifecycle('live')).failure
      ?.message;
  const live = ['start', 'slotGranted', 'opening', 'epoch'] as const;

  test('is what it reported, else the watchdog’s verdict, else its exit', () => {
    expect(failureAfter(...live, 'childGone')).toBe('childGone');
    expect(failureAfter(...live, 'stalled', 'childGone')).toBe('stalled');
    expect(failureAfter(...live, 'stalled', 'failed', 'childGone')).toBe('failed');
    expect(failureAfter(...live, 'failed', 'unhealthy', 'childGone')).toBe('failed');
  });

  test('is forgotten when the next child starts', () => {
    expect(failureAfter(...live, 'failed', 'childGone', 'retryDue', 'slotGranted')).toBeUndefined();
  });
});

/** A model of the supervisor's environment: which events can occur next, and what the effects did. */
class Environment {
  state: CameraLifecycle;
  readonly effects: Effect[] = [];
  slots: 'none' | 'requested' | 'held' = 'none';
  child: 'none' | 'loading' | 'open' | 'exiting' = 'none';
  retryScheduled = false;
  flushing = false;
  settled = 0;
  exits = 0;
  epochEnds = 0;

  constructor(source: SourceKind) {
    this.state = newLifecycle(source);
  }

  get possible(): CameraEventType[] {
    const { phase, source } = this.state;
    const child: CameraEventType[] = {
      none: [],
      loading: ['opening', 'failed'] as CameraEventType[],
      open: ['resolved', 'connected', 'epoch', 'report', 'failed', 'ended'] as CameraEventType[],
      exiting: [],
    }[this.child];
    return [
      'stop',
      'pause',
      ...(phase === 'Idle' || phase === 'Refused' || phase === 'Paused'
        ? (['start', 'refused'] as const)
        : []),
      ...(this.slots === 'requested' ? (['slotGranted'] as const) : []),
      ...child,
      // An ONVIF camera sends `opening` a second time, before PLAY.
      ...(phase === 'Connecting' ? (['opening'] as const) : []),
      ...(this.child === 'none' ? [] : (['childGone'] as const)),
      ...(isWatched(phase) && this.child !== 'none' ? (['unhealthy'] as const) : []),
      ...(phase === 'Live' && source === 'live' ? (['stalled'] as const) : []),
      ...(this.flushing ? (['flushed'] as const) : []),
      ...(this.retryScheduled ? (['retryDue'] as const) : []),
    ];
  }

  dispatch(type: CameraEventType, spawnFails = false): void {
    if (type === 'slotGranted') this.slots = 'held';
    if (type === 'opening') this.child = 'open';
    if (type === 'failed' || type === 'ended') this.child = 'exiting';
    if (type === 'childGone') this.exits += 1;
    if (type === 'flushed') this.flushing = false;
    if (type === 'retryDue') this.retryScheduled = false;
    const final = this.state.phase === 'Stopped';
    const { state, effects } = transition(this.state, EVENTS[type]);
    if (final) expect(state.phase).toBe('Stopped');
    this.state = state;
    for (const effect of effects) this.#execute(effect, final, spawnFails);
    if (effects.includes('spawnChild') && spawnFails) this.dispatch('spawnFailed');
  }

  #execute(effect: Effect, final: boolean, spawnFails: boolean): void {
    this.effects.push(effect);
    if (final) expect(effect).toBe('releaseStartSlot');
    switch (effect) {
      case 'acquireStartSlot':
        expect(this.slots).toBe('none');
        this.slots = 'requested';
        break;
      case 'releaseStartSlot':
        expect(this.slots).not.toBe('requested');
        this.slots = 'none';
        break;
      case 'abandonStartSlot':
        expect(this.slots).toBe('requested');
        this.slots = 'none';
        break;
      case 'spawnChild':
        expect([this.child, this.slots]).toEqual(['none', 'held']);
        if (!spawnFails) this.child = 'loading';
        break;
      case 'killChild':
        expect(this.child).not.toBe('none');
        break;
      case 'forgetChild':
        this.child = 'none';
        break;
      case 'scheduleRetry':
        expect(this.state.source).toBe('live');
        expect(this.retryScheduled).toBe(false);
        this.retryScheduled = true;
        break;
      case 'cancelRetry':
        this.retryScheduled = false;
        break;
      case 'endEpoch':
        this.epochEnds += 1;
        break;
      case 'flushEpoch':
        this.epochEnds += 1;
        this.flushing = true;
        break;
      case 'settleWithFailure':
        expect(this.state.source).toBe('file');
        expect(this.state.failure).not.toBeNull();
        this.settled += 1;
        break;
      case 'settle':
        this.settled += 1;
        break;
      default:
    }
  }
}

test('random event sequences keep the invariants, and stop releases everything', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SOURCES),
      fc.array(fc.tuple(fc.nat(), fc.nat(9)), { maxLength: 60 }),
      (source, choices) => {
        const environment = new Environment(source);
        // `stop` ends a run: it is chosen rarely.
        const next = (index: number, rare: number) => {
          const possible = environment.possible.filter(
            (type) => (type !== 'stop' || rare === 0) && (type !== 'pause' || rare < 3),
          );
          return possible[index % possible.length];
        };
        for (const [index, rare] of choices) {
          const type = next(index, rare);
          if (type !== undefined) environment.dispatch(type, rare === 1);
          expect(environment.epochEnds).toBe(environment.exits);
        }
        environment.dispatch('stop');
        for (const settling of ['childGone', 'flushed', 'slotGranted'] as const)
          if (environment.possible.includes(settling)) environment.dispatch(settling);
        expect(environment).toMatchObject({
          state: { phase: 'Stopped' },
          slots: 'none',
          child: 'none',
          retryScheduled: false,
          flushing: false,
          settled: 1,
        });
        const stops = environment.effects.filter((effect) =>
          ['publishStopped', 'publishEnded', 'publishFailed'].includes(effect),
        );
        expect(stops).toHaveLength(1);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('a random walk reaches every phase of both kinds of source', () => {
  const reached = { live: new Set<Phase>(), file: new Set<Phase>() };
  fc.assert(
    fc.property(fc.constantFrom(...SOURCES), fc.array(fc.nat(), { maxLength: 60 }), (source, choices) => {
      const environment = new Environment(source);
      for (const index of choices) {
        environment.dispatch(environment.possible[index % environment.possible.length]!);
        reached[source].add(environment.state.phase);
      }
    }),
    { numRuns: 3_000, seed: 1 },
  );
  const all = new Set(PHASES.filter((phase) => phase !== 'Idle'));
  expect(reached.live).toEqual(new Set([...all].filter((phase) => phase !== 'Ending' && phase !== 'Failed')));
  expect(reached.file).toEqual(new Set([...all].filter((phase) => phase !== 'Backoff')));
});
