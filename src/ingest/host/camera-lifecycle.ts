import type { AustreamError } from '../../errors.ts';
import type { ToHost } from '../protocol/messages.ts';

/** Phases of a camera's life. `CameraStatus.state` is published by effects; it has fewer values than these. */
export const PHASES = [
  /** Not started yet. */
  'Idle',
  /** Admission control found no room on this machine. */
  'Refused',
  /** Waits for a start slot. */
  'Waiting',
  /** The child process loads. It holds the start slot. */
  'Starting',
  /** The child opens the camera. */
  'Connecting',
  /** The camera accepted PLAY; no frame was decoded yet. */
  'Connected',
  /** Frames arrive. */
  'Live',
  /** The child reported a failure and is about to exit. */
  'Failing',
  /** The watchdog sent SIGKILL; the child is not gone yet. */
  'Killing',
  /** Live source: waits for the next attempt. */
  'Backoff',
  /** Asked to pause: the child exits; its last frames are dropped. */
  'Pausing',
  /** Nothing is connected until the camera is started again. */
  'Paused',
  /** File source: played to its end; the child exits, then its last epoch is flushed. */
  'Ending',
  /** File source: the child is gone after a failure; its last epoch is flushed. */
  'Failed',
  /** Asked to stop: the child exits, then its last epoch is flushed. */
  'Stopping',
  /** Final. */
  'Stopped',
] as const;
export type Phase = (typeof PHASES)[number];

/** Why a camera was asked to stop. */
export type StopCause = 'stopped' | 'removed' | 'changed';
export type SourceKind = 'live' | 'file';

/** Why a camera is paused. */
export interface Pause {
  readonly cause: 'operator' | 'schedule' | 'superseded';
  /** One sentence for people. */
  readonly detail: string;
}

type ChildMessage = Exclude<ToHost, { type: 'failed' | 'warning' }>;

export type CameraEvent =
  | { readonly type: 'start' }
  /** Admission control has no room for the camera. */
  | { readonly type: 'refused'; readonly detail: string }
  | { readonly type: 'stop'; readonly cause: StopCause }
  /** In the phase `Paused`: another cause or detail. A file is played from its beginning after a pause. */
  | { readonly type: 'pause'; readonly pause: Pause }
  | { readonly type: 'slotGranted' }
  /** The child process could not be created. */
  | { readonly type: 'spawnFailed'; readonly failure: AustreamError }
  /** Messages of the child process. */
  | ChildMessage
  | { readonly type: 'failed'; readonly failure: AustreamError }
  /** Watchdog: no decoded frame for too long. */
  | { readonly type: 'stalled'; readonly failure: AustreamError }
  /** Watchdog: the child hangs, uses too much memory, or got no first frame in time. */
  | { readonly type: 'unhealthy'; readonly failure: AustreamError }
  /** The child is gone and everything it had sent was processed. `failure` describes its exit. */
  | { readonly type: 'childGone'; readonly failure: AustreamError }
  /** Every receiver has processed the end of the last epoch (effect `flushEpoch`). */
  | { readonly type: 'flushed' }
  | { readonly type: 'retryDue' };
export type CameraEventType = CameraEvent['type'];

export const EFFECTS = [
  'acquireStartSlot',
  /** Does nothing if no slot is held. */
  'releaseStartSlot',
  /** Withdraws a request for a start slot; `slotGranted` does not follow. */
  'abandonStartSlot',
  'spawnChild',
  /** Asks the child to exit; SIGKILL follows after a timeout. */
  'stopChild',
  /** SIGKILL. */
  'killChild',
  'forgetChild',
  /** Restarts the watchdog's timeouts. */
  'noteProgress',
  /** Sends the share of frames to analyse to the child. */
  'sendThrottle',
  'recordResolved',
  /** Also publishes LIVE. */
  'recordEpoch',
  'recordReport',
  'resetBackoff',
  'scheduleRetry',
  'cancelRetry',
  /** Ends the open epoch; nothing waits for its receivers. */
  'endEpoch',
  /** Ends the open epoch; `flushed` follows. */
  'flushEpoch',
  /** Ends the open epoch; what is not scored is dropped, and so is every frame that this child still delivers. */
  'discardEpoch',
  'publishConnecting',
  'publishRefused',
  'publishStalled',
  'publishReconnecting',
  'publishPaused',
  /** STOPPED, with the stop's cause. */
  'publishStopped',
  /** STOPPED, a file was played to its end. */
  'publishEnded',
  /** STOPPED, a file failed. */
  'publishFailed',
  /** Resolves the supervisor's `done`. */
  'settle',
  /** Rejects the supervisor's `done`. */
  'settleWithFailure',
] as const;
export type Effect = (typeof EFFECTS)[number];

export interface CameraLifecycle {
  readonly phase: Phase;
  readonly source: SourceKind;
  /** Why the current child ends or the last one ended. A reported failure outranks the exit that follows it. */
  readonly failure: AustreamError | null;
  /** The first cause counts. */
  readonly stopCause: StopCause | null;
  /** Of the newest `pause`. */
  readonly pause: Pause | null;
}

interface Move {
  /** The next phase; null stays. */
  readonly to: Phase | null;
  readonly effects: readonly Effect[];
}
interface Ignored {
  readonly ignored: string;
}
interface Impossible {
  readonly impossible: string;
}
type Outcome = Move | Ignored | Impossible;
type BySource = Readonly<Record<SourceKind, Outcome>>;
/** What one event does in one phase. */
type Cell = Outcome | BySource;

const go = (to: Phase, ...effects: Effect[]): Move => ({ to, effects });
const stay = (...effects: Effect[]): Move => ({ to: null, effects });
const ignored = (why: string): Ignored => ({ ignored: why });
const impossible = (why: string): Impossible => ({ impossible: why });

const NO_END_OF_LIVE = ignored('a live source ends only when it is stopped');
const FIRST_CAUSE = ignored('the camera stops already; the first cause counts');
const ABOUT_TO_EXIT = ignored('the child is about to exit');
const NOT_WAITING = impossible('the camera does not wait for a start slot');
const NO_RETRY = impossible('no retry is scheduled');
const NO_FLUSH = impossible('no epoch is being flushed');
const NO_CHILD = impossible('there is no child process');
const ALREADY_STARTED = impossible('the camera was started already');
const OUT_OF_ORDER = impossible('the child does not send this message here');
const NO_FRAME = impossible('a stall needs a first frame');
const FILE_IS_OVER = ignored('the file was played already');
const STOPS_ALREADY = ignored('the camera stops already');

const STARTED = { start: ALREADY_STARTED, refused: ALREADY_STARTED } as const;
const WITHOUT_CHILD = {
  spawnFailed: NO_CHILD,
  opening: NO_CHILD,
  resolved: NO_CHILD,
  connected: NO_CHILD,
  epoch: NO_CHILD,
  report: NO_CHILD,
  failed: NO_CHILD,
  ended: NO_CHILD,
  stalled: NO_CHILD,
  unhealthy: NO_CHILD,
  childGone: NO_CHILD,
} as const;
/** Rows of every phase with a child process that runs. */
const WITH_CHILD = {
  ...STARTED,
  slotGranted: NOT_WAITING,
  spawnFailed: impossible('the child was created'),
  retryDue: NO_RETRY,
  flushed: NO_FLUSH,
  stop: go('Stopping', 'releaseStartSlot', 'stopChild'),
  pause: go('Pausing', 'releaseStartSlot', 'discardEpoch', 'stopChild'),
  resolved: stay('recordResolved'),
  report: stay('recordReport'),
  childGone: {
    live: go(
      'Backoff',
      'forgetChild',
      'releaseStartSlot',
      'endEpoch',
      'publishReconnecting',
      'scheduleRetry',
    ),
    file: go('Failed', 'forgetChild', 'releaseStartSlot', 'flushEpoch'),
  },
} as const;
const NOT_STARTED = {
  ...WITHOUT_CHILD,
  start: go('Waiting', 'publishConnecting', 'acquireStartSlot'),
  refused: go('Refused', 'publishRefused'),
  pause: go('Paused', 'publishPaused'),
  stop: go('Stopped', 'publishStopped', 'settle'),
  slotGranted: NOT_WAITING,
  flushed: NO_FLUSH,
  retryDue: NO_RETRY,
} as const;
/** Rows of a child that ends because of a failure. Its last messages are still read. */
const DYING = {
  ...WITH_CHILD,
  opening: ABOUT_TO_EXIT,
  connected: ABOUT_TO_EXIT,
  epoch: stay('resetBackoff', 'recordEpoch'),
  failed: stay(),
  // A file whose frames are all on the pipe is complete, whatever became of its process.
  ended: { live: NO_END_OF_LIVE, file: go('Ending') },
  stalled: ABOUT_TO_EXIT,
  unhealthy: ABOUT_TO_EXIT,
} as const;

/** Every phase and event: what happens, why nothing happens, or why the pair cannot occur. */
export const TRANSITIONS: Readonly<Record<Phase, Readonly<Record<CameraEventType, Cell>>>> = {
  Idle: NOT_STARTED,
  Refused: NOT_STARTED,
  Waiting: {
    ...STARTED,
    ...WITHOUT_CHILD,
    slotGranted: go('Starting', 'spawnChild'),
    pause: go('Paused', 'abandonStartSlot', 'publishPaused'),
    stop: go('Stopped', 'publishStopped', 'settle'),
    flushed: NO_FLUSH,
    retryDue: NO_RETRY,
  },
  Starting: {
    ...WITH_CHILD,
    spawnFailed: {
      live: go('Backoff', 'releaseStartSlot', 'publishReconnecting', 'scheduleRetry'),
      file: go('Stopped', 'releaseStartSlot', 'publishFailed', 'settleWithFailure'),
    },
    opening: go('Connecting', 'releaseStartSlot', 'noteProgress', 'sendThrottle'),
    resolved: OUT_OF_ORDER,
    connected: OUT_OF_ORDER,
    epoch: OUT_OF_ORDER,
    report: OUT_OF_ORDER,
    failed: go('Failing'),
    ended: OUT_OF_ORDER,
    stalled: NO_FRAME,
    unhealthy: go('Killing', 'killChild'),
  },
  Connecting: {
    ...WITH_CHILD,
    // An ONVIF camera is opened again once the device has returned its stream.
    opening: stay('noteProgress', 'sendThrottle'),
    connected: go('Connected'),
    epoch: go('Live', 'noteProgress', 'resetBackoff', 'recordEpoch'),
    failed: go('Failing'),
    ended: { live: NO_END_OF_LIVE, file: go('Ending') },
    stalled: NO_FRAME,
    unhealthy: go('Killing', 'killChild'),
  },
  Connected: {
    ...WITH_CHILD,
    opening: OUT_OF_ORDER,
    connected: ignored('PLAY may be accepted more than once'),
    epoch: go('Live', 'noteProgress', 'resetBackoff', 'recordEpoch'),
    failed: go('Failing'),
    ended: { live: NO_END_OF_LIVE, file: go('Ending') },
    stalled: NO_FRAME,
    unhealthy: go('Killing', 'killChild'),
  },
  Live: {
    ...WITH_CHILD,
    opening: OUT_OF_ORDER,
    connected: ignored('a frame may be decoded before the answer to PLAY is reported'),
    epoch: go('Live', 'noteProgress', 'resetBackoff', 'recordEpoch'),
    failed: go('Failing'),
    ended: { live: NO_END_OF_LIVE, file: go('Ending') },
    stalled: {
      live: go('Killing', 'publishStalled', 'killChild'),
      file: impossible('a file waits for its reader'),
    },
    unhealthy: go('Killing', 'killChild'),
  },
  Failing: DYING,
  Killing: DYING,
  Backoff: {
    ...STARTED,
    ...WITHOUT_CHILD,
    slotGranted: NOT_WAITING,
    stop: go('Stopped', 'cancelRetry', 'publishStopped', 'settle'),
    pause: go('Paused', 'cancelRetry', 'publishPaused'),
    flushed: NO_FLUSH,
    retryDue: go('Waiting', 'acquireStartSlot'),
  },
  Pausing: {
    ...WITH_CHILD,
    stop: go('Stopping'),
    pause: stay(),
    opening: ABOUT_TO_EXIT,
    connected: ABOUT_TO_EXIT,
    epoch: ABOUT_TO_EXIT,
    failed: ABOUT_TO_EXIT,
    ended: ABOUT_TO_EXIT,
    stalled: ABOUT_TO_EXIT,
    unhealthy: ABOUT_TO_EXIT,
    childGone: go('Paused', 'forgetChild', 'releaseStartSlot', 'endEpoch', 'publishPaused'),
  },
  Paused: NOT_STARTED,
  Ending: {
    ...WITH_CHILD,
    pause: FILE_IS_OVER,
    opening: OUT_OF_ORDER,
    connected: OUT_OF_ORDER,
    epoch: OUT_OF_ORDER,
    failed: ignored('every frame is on the pipe: the file is complete'),
    ended: OUT_OF_ORDER,
    stalled: impossible('a file waits for its reader'),
    unhealthy: stay('killChild'),
    childGone: stay('forgetChild', 'releaseStartSlot', 'flushEpoch'),
    flushed: go('Stopped', 'publishEnded', 'settle'),
  },
  Failed: {
    ...STARTED,
    ...WITHOUT_CHILD,
    slotGranted: NOT_WAITING,
    stop: go('Stopping'),
    pause: FILE_IS_OVER,
    flushed: go('Stopped', 'publishFailed', 'settleWithFailure'),
    retryDue: NO_RETRY,
  },
  Stopping: {
    ...WITH_CHILD,
    stop: FIRST_CAUSE,
    pause: STOPS_ALREADY,
    opening: ABOUT_TO_EXIT,
    connected: ABOUT_TO_EXIT,
    epoch: stay('resetBackoff', 'recordEpoch'),
    failed: ABOUT_TO_EXIT,
    ended: ABOUT_TO_EXIT,
    stalled: ABOUT_TO_EXIT,
    unhealthy: ABOUT_TO_EXIT,
    childGone: stay('forgetChild', 'releaseStartSlot', 'flushEpoch'),
    flushed: go('Stopped', 'publishStopped', 'settle'),
  },
  Stopped: {
    ...STARTED,
    ...WITHOUT_CHILD,
    // The camera was stopped while it waited: the slot goes to the next one.
    slotGranted: stay('releaseStartSlot'),
    stop: FIRST_CAUSE,
    pause: STOPS_ALREADY,
    flushed: NO_FLUSH,
    retryDue: NO_RETRY,
  },
};

/** An event that cannot occur in this phase: a defect of the supervisor or of the child process. */
export class ImpossibleEventError extends Error {
  constructor(phase: Phase, event: CameraEventType, why: string) {
    super(`event ${event} in phase ${phase}: ${why}`);
    this.name = 'ImpossibleEventError';
  }
}

export function newLifecycle(source: SourceKind): CameraLifecycle {
  return { phase: 'Idle', source, failure: null, stopCause: null, pause: null };
}

/** What `event` does in `phase` to a source of this kind. */
function outcomeOf(phase: Phase, event: CameraEventType, source: SourceKind): Outcome {
  const cell = TRANSITIONS[phase][event];
  return 'live' in cell ? cell[source] : cell;
}

/** Pure: effects are names for the supervisor to execute, in order. Throws ImpossibleEventError. */
export function transition(
  state: CameraLifecycle,
  event: CameraEvent,
): { readonly state: CameraLifecycle; readonly effects: readonly Effect[] } {
  const outcome = outcomeOf(state.phase, event.type, state.source);
  if ('impossible' in outcome) throw new ImpossibleEventError(state.phase, event.type, outcome.impossible);
  if ('ignored' in outcome) return { state, effects: [] };
  return {
    state: {
      ...state,
      phase: outcome.to ?? state.phase,
      failure: nextFailure(state.failure, event),
      stopCause: event.type === 'stop' ? event.cause : state.stopCause,
      pause: event.type === 'pause' ? event.pause : state.pause,
    },
    effects: outcome.effects,
  };
}

function nextFailure(failure: AustreamError | null, event: CameraEvent): AustreamError | null {
  if (event.type === 'slotGranted') return null;
  if (event.type === 'childGone') return failure ?? event.failure;
  return 'failure' in event ? event.failure : failure;
}
