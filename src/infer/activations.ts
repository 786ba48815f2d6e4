import type { ActivationEnd, ActivationPhase, AuActivation, AuFrame } from '../domain/event.ts';
import type { Micros } from '../domain/frame.ts';
import { AU_NAMES, type AuName } from '../domain/scores.ts';
import { trackKey } from '../domain/track-key.ts';
import type { InferOptions } from './options.ts';

/** One AU that is up: plain data, for it may outlive a process. */
export interface OpenActivation {
  readonly first: Pick<AuFrame, 'cameraId' | 'epoch' | 'trackId' | 'frame' | 'captureTime' | 'clockSource'>;
  readonly reliability: number | null;
  last: EventOrigin;
  apex: Micros;
  peak: number;
  sum: number;
  frames: number;
  announced: boolean;
}

type EventOrigin = Pick<AuFrame, 'captureTime' | 'inferredAt' | 'model'>;

/** The AUs of one track that are up between two frames. */
export type ActivationState = readonly (readonly [AuName, OpenActivation])[];

/**
 * Turns the smoothed scores of one track into activations with hysteresis: an AU rises when its score reaches its
 * threshold, is announced (ONSET) once it has lasted `minSeconds`, and ends (OFFSET) when the score falls below
 * `release` × threshold. Frames without scores change nothing; `end` closes what a lost track leaves open.
 */
export class ActivationTracker {
  readonly #options: InferOptions['activations'];
  readonly #thresholds: Float32Array;
  readonly #open: Map<AuName, OpenActivation>;

  /** `thresholds`: (12), in the order of ACTION_UNITS. `state` goes on from where another tracker was. */
  constructor(options: InferOptions['activations'], thresholds: Float32Array, state: ActivationState = []) {
    this.#options = options;
    this.#thresholds = thresholds;
    this.#open = new Map(state.map(([au, rise]) => [au, { ...rise }]));
  }

  /** All that later frames depend on. */
  state(): ActivationState {
    return [...this.#open].map(([au, rise]) => [au, { ...rise }]);
  }

  push(frame: AuFrame): AuActivation[] {
    const out: AuActivation[] = [];
    AU_NAMES.forEach((au, index) => {
      const state = frame.aus[au];
      if (!state) return;
      const rise = this.#open.get(au);
      const threshold = this.#thresholds[index]!;
      if (rise && state.p < threshold * this.#options.release) {
        this.#open.delete(au);
        if (rise.announced) out.push(activationEvent(au, rise, 'OFFSET', frame, 'below_threshold'));
      } else if (rise || state.p >= threshold) {
        out.push(...this.#extend(au, rise, frame, state.p));
      }
    });
    return out;
  }

  /** Closes every open activation at the last frame it was seen in. */
  end(reason: ActivationEnd): AuActivation[] {
    const open = [...this.#open].filter(([, rise]) => rise.announced);
    this.#open.clear();
    return open.map(([au, rise]) => activationEvent(au, rise, 'OFFSET', rise.last, reason));
  }

  #extend(au: AuName, known: OpenActivation | undefined, frame: AuFrame, p: number): AuActivation[] {
    const rise = known ?? openActivation(au, frame, p);
    if (!known) this.#open.set(au, rise);
    if (p > rise.peak) {
      rise.peak = p;
      rise.apex = frame.captureTime;
    }
    rise.last = eventOrigin(frame);
    rise.sum += p;
    rise.frames += 1;
    const lasted = frame.captureTime - rise.first.captureTime;
    if (rise.announced || lasted < this.#options.minSeconds * 1e6) return [];
    rise.announced = true;
    return [activationEvent(au, rise, 'ONSET', frame, null)];
  }
}

function openActivation(au: AuName, frame: AuFrame, p: number): OpenActivation {
  const { cameraId, epoch, trackId, captureTime, clockSource } = frame;
  return {
    first: { cameraId, epoch, trackId, frame: frame.frame, captureTime, clockSource },
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
  rise: OpenActivation,
  phase: ActivationPhase,
  at: EventOrigin,
  end: ActivationEnd | null,
): AuActivation {
  const { first } = rise;
  const activationId = `${trackKey(first)}/${au}/${first.frame}`;
  return {
    eventId: `${activationId}/${phase}`,
    activationId,
    phase,
    cameraId: first.cameraId,
    epoch: first.epoch,
    trackId: first.trackId,
    au,
    clockSource: first.clockSource,
    onset: first.captureTime,
    apex: rise.apex,
    peak: rise.peak,
    mean: rise.sum / rise.frames,
    frames: rise.frames,
    offset: phase === 'OFFSET' ? at.captureTime : null,
    duration: at.captureTime - first.captureTime,
    end,
    reliability: rise.reliability,
    inferredAt: at.inferredAt,
    model: at.model,
  };
}
