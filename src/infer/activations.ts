import type { ActivationEnd, ActivationPhase, AuActivation, AuFrame } from '../domain/event.ts';
import type { Micros } from '../domain/frame.ts';
import { AU_NAMES, type AuName } from '../domain/scores.ts';
import { trackKey } from '../domain/track-key.ts';
import type { InferOptions } from './options.ts';

/**
 * An activation between onset and offset. Plain data: the cluster's state topic stores it as JSON, so field names are
 * part of that format.
 */
export interface OpenActivation {
  /** The onset frame. */
  readonly first: Pick<
    AuFrame,
    'cameraId' | 'epoch' | 'trackId' | 'frame' | 'captureTime' | 'clockSource' | 'zones'
  >;
  readonly reliability: number | null;
  /** The newest frame. */
  last: EventOrigin;
  /** Capture time of `peak`. */
  apex: Micros;
  /** Highest smoothed score. */
  peak: number;
  /** Sum of the smoothed scores of `frames` frames. */
  sum: number;
  frames: number;
  /** ONSET was emitted. */
  announced: boolean;
}

/** The fields that an activation event takes from its frame. */
type EventOrigin = Pick<AuFrame, 'captureTime' | 'inferredAt' | 'model'>;

/** The open activations of one track. */
export type ActivationState = readonly (readonly [AuName, OpenActivation])[];

/**
 * Turns the smoothed scores of one track into activations, with hysteresis: an activation opens when the score reaches
 * the AU's threshold, is emitted (ONSET) once it has lasted `minSeconds`, and closes (OFFSET) when the score falls
 * below `release` × threshold. Frames without scores change nothing.
 */
export class ActivationTracker {
  readonly #options: InferOptions['activations'];
  readonly #thresholds: Float32Array;
  readonly #open: Map<AuName, OpenActivation>;

  /** `thresholds`: (12), in the order of ACTION_UNITS. `state`: resumes another tracker. */
  constructor(options: InferOptions['activations'], thresholds: Float32Array, state: ActivationState = []) {
    this.#options = options;
    this.#thresholds = thresholds;
    this.#open = new Map(state.map(([au, activation]) => [au, { ...activation }]));
  }

  /** Everything that later frames depend on. */
  state(): ActivationState {
    return [...this.#open].map(([au, activation]) => [au, { ...activation }]);
  }

  /** Adds the next frame. Returns the ONSET and OFFSET events due. */
  push(frame: AuFrame): AuActivation[] {
    const events: AuActivation[] = [];
    AU_NAMES.forEach((au, index) => {
      const state = frame.aus[au];
      if (!state) return;
      const activation = this.#open.get(au);
      const threshold = this.#thresholds[index]!;
      if (activation && state.p < threshold * this.#options.release) {
        this.#open.delete(au);
        if (activation.announced)
          events.push(activationEvent(au, activation, 'OFFSET', frame, 'below_threshold'));
      } else if (activation || state.p >= threshold) {
        events.push(...this.#extend(au, activation, frame, state.p));
      }
    });
    return events;
  }

  /** Closes every open activation at its last frame, for a track that ended or a gap. */
  end(reason: ActivationEnd): AuActivation[] {
    const open = [...this.#open].filter(([, activation]) => activation.announced);
    this.#open.clear();
    return open.map(([au, activation]) => activationEvent(au, activation, 'OFFSET', activation.last, reason));
  }

  #extend(au: AuName, existing: OpenActivation | undefined, frame: AuFrame, p: number): AuActivation[] {
    const activation = existing ?? openActivation(au, frame, p);
    if (!existing) this.#open.set(au, activation);
    if (p > activation.peak) {
      activation.peak = p;
      activation.apex = frame.captureTime;
    }
    activation.last = eventOrigin(frame);
    activation.sum += p;
    activation.frames += 1;
    const lasted = frame.captureTime - activation.first.captureTime;
    if (activation.announced || lasted < this.#options.minSeconds * 1e6) return [];
    activation.announced = true;
    return [activationEvent(au, activation, 'ONSET', frame, null)];
  }
}

function openActivation(au: AuName, frame: AuFrame, p: number): OpenActivation {
  const { cameraId, epoch, trackId, captureTime, clockSource, zones } = frame;
  return {
    first: { cameraId, epoch, trackId, frame: frame.frame, captureTime, clockSource, zones },
    reliability: frame.aus[au]?.reliability ?? null,
    last: eventOrigin(frame),
    apex: captureTime,
    peak: p,
    sum: 0,
    frames: 0,
    announced: false,
  };
}

function eventOrigin({ captureTime, inferredAt, model }: AuFrame): EventOrigin {
  return { captureTime, inferredAt, model };
}

function activationEvent(
  au: AuName,
  activation: OpenActivation,
  phase: ActivationPhase,
  at: EventOrigin,
  end: ActivationEnd | null,
): AuActivation {
  const { first } = activation;
  const activationId = `${trackKey(first)}/${au}/${first.frame}`;
  return {
    eventId: `${activationId}/${phase}`,
    activationId,
    phase,
    cameraId: first.cameraId,
    epoch: first.epoch,
    trackId: first.trackId,
    au,
    zones: first.zones,
    clockSource: first.clockSource,
    onset: first.captureTime,
    apex: activation.apex,
    peak: activation.peak,
    mean: activation.sum / activation.frames,
    frames: activation.frames,
    offset: phase === 'OFFSET' ? at.captureTime : null,
    duration: at.captureTime - first.captureTime,
    end,
    reliability: activation.reliability,
    inferredAt: at.inferredAt,
    model: at.model,
  };
}
