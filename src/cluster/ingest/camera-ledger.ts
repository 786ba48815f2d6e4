import type { CameraState } from '../../domain/camera-status.ts';
import { claimOf, EPOCHS_PER_CLAIM, MAX_KNOWN_EPOCH, newClaim } from '../../domain/epoch.ts';
import type { Micros } from '../../domain/frame.ts';

/** What a record of `<prefix>cameras` says about who runs a camera. */
export interface Sighting {
  readonly cameraId: string;
  /** The worker that wrote it; null: a worker of an earlier version. */
  readonly worker: string | null;
  readonly epoch: number | null;
  readonly state: CameraState | 'UNKNOWN';
  /** When it was written, on the worker's clock. */
  readonly at: Micros;
}

/** What this worker has to do about one of its cameras. */
export type Duty =
  /** Another worker has a newer claim: this one stops the camera. */
  | { readonly type: 'yield'; readonly cameraId: string; readonly to: string; readonly epoch: number }
  /** The claim is not the newest, or the worker with the newest one is gone: claim again. */
  | { readonly type: 'claimAgain'; readonly cameraId: string; readonly why: string }
  /** Another worker runs the camera too, with an older claim; null: no longer. */
  | { readonly type: 'contested'; readonly cameraId: string; readonly by: string | null }
  /** The brokers have this worker's claim, and it is the newest. */
  | { readonly type: 'confirmed'; readonly cameraId: string };

/** An owner whose camera is contested repeats its status this often. */
export const BEAT_MS = 2_000;
/** Two statuses that far apart on the owner's clock are beats. */
const BEAT: readonly [number, number] = [0.75 * BEAT_MS, 1.5 * BEAT_MS];
/** An owner beats after this many of them. It is then given up after `BEATING_SILENCE_MS`, any other later. */
const MIN_BEATS = 3;
const BEATING_SILENCE_MS = 3 * BEAT_MS;
const MIN_SILENCE_MS = 30_000;
/** Or after this many intervals at which statuses are repeated. */
const SILENT_INTERVALS = 3;
/** A camera that is stopped for a change of its options is started again within this time. */
const RESTART_MS = 2_000;
/** A claim is renewed this many epochs before the next one's begin. */
const RENEW_BEFORE = 4_096;

const EARLIER_VERSION = 'a worker of an earlier version';

/** The newest claim of a camera in the log. */
interface Claim {
  readonly claim: number;
  /** The first worker in the log with this claim. */
  readonly holder: string;
  /** Its highest epoch. */
  epoch: number;
  stopped: boolean;
  /** When its newest record was read (ms, monotonic clock). */
  heardAt: number;
  /** When the record that the next beat is measured from was written, on the holder's clock. */
  beatAt: Micros;
  /** Intervals of `BEAT_MS` since the last longer one. */
  beats: number;
}

interface Mine {
  readonly claim: number;
  /** The log has it. */
  confirmed: boolean;
  /** Whom it was yielded to. */
  yieldedTo: string | null;
  contestedBy: string | null;
  /** Seen once: its record may have been under way when this worker claimed the camera. */
  suspect: string | null;
}

/**
 * Who runs which camera, as the records of `<prefix>cameras` tell it. All records of a camera are in one partition, so
 * every worker reads the same claims in the same order. The newest claim, which has the highest epochs, wins; of two
 * equal ones the second in the log is renewed. Pure: times are arguments (ms, monotonic clock).
 */
export class CameraLedger {
  readonly #worker: string;
  readonly #statusMs: number;
  readonly #claims = new Map<string, Claim>();
  readonly #mine = new Map<string, Mine>();

  /** `statusMs`: interval at which workers repeat the status of a camera. */
  constructor(worker: string, statusMs: number) {
    this.#worker = worker;
    this.#statusMs = statusMs;
  }

  /** Returns the first epoch of a new claim of the camera. `wallMs`: Unix milliseconds. `random`: 0…1. */
  claim(cameraId: string, wallMs: number, random: number): number {
    const epoch = newClaim(this.#claims.get(cameraId)?.epoch ?? null, wallMs, random);
    const mine = this.#mine.get(cameraId);
    // A claim that was never read back may be in the log all the same.
    const known = mine && claimOf(epoch) <= mine.claim ? newClaimAfter(mine.claim, random) : epoch;
    this.#mine.set(cameraId, {
      claim: claimOf(known),
      confirmed: false,
      yieldedTo: null,
      contestedBy: mine?.contestedBy ?? null,
      suspect: null,
    });
    return known;
  }

  /** This worker no longer runs the camera. */
  release(cameraId: string): void {
    this.#mine.delete(cameraId);
  }

  /** Whether the log has the newest claim of this worker. */
  isConfirmed(cameraId: string): boolean {
    return this.#mine.get(cameraId)?.confirmed === true;
  }

  /** False while another worker, with a newer claim, speaks for the camera. */
  mayPublish(cameraId: string): boolean {
    return (this.#mine.get(cameraId)?.yieldedTo ?? null) === null;
  }

  /** The other worker that runs a camera of this one too. */
  contestedBy(cameraId: string): string | null {
    return this.#mine.get(cameraId)?.contestedBy ?? null;
  }

  /** The worker with the newest claim, this one included. */
  ownerOf(cameraId: string): { readonly worker: string; readonly epoch: number } | null {
    const claim = this.#claims.get(cameraId);
    return claim ? { worker: claim.holder, epoch: claim.epoch } : null;
  }

  /** Reads the next record of the log. */
  observe(sighting: Sighting, now: number): Duty[] {
    const { cameraId, epoch } = sighting;
    const worker = sighting.worker ?? EARLIER_VERSION;
    // Files number their epochs from 0; every worker that plays one gives the same events.
    if (epoch === null || claimOf(epoch) === 0 || epoch > MAX_KNOWN_EPOCH) return [];
    const newest = this.#record(worker, epoch, sighting, now);
    const mine = this.#mine.get(cameraId);
    if (!mine) return [];
    if (newest.claim === mine.claim && newest.holder === this.#worker)
      return this.#observeAsOwner(sighting, worker, mine, newest);
    if (newest.claim < mine.claim || mine.yieldedTo !== null) return [];
    if (newest.claim === mine.claim || !mine.confirmed)
      return [{ type: 'claimAgain', cameraId, why: `${newest.holder} claimed the camera at the same time` }];
    mine.yieldedTo = newest.holder;
    return [{ type: 'yield', cameraId, to: newest.holder, epoch: newest.epoch }];
  }

  /** Cameras that this worker has yielded to one that is silent or has stopped. */
  takeOver(now: number): Duty[] {
    const duties: Duty[] = [];
    for (const [cameraId, { yieldedTo }] of this.#mine) {
      const claim = this.#claims.get(cameraId);
      if (yieldedTo === null || !claim) continue;
      const silentMs = now - claim.heardAt;
      const limit =
        claim.beats >= MIN_BEATS
          ? BEATING_SILENCE_MS
          : Math.max(MIN_SILENCE_MS, SILENT_INTERVALS * this.#statusMs);
      if (claim.stopped && silentMs >= RESTART_MS)
        duties.push({ type: 'claimAgain', cameraId, why: `${claim.holder} has stopped the camera` });
      else if (silentMs >= limit)
        duties.push({
          type: 'claimAgain',
          cameraId,
          why: `${claim.holder} is silent for ${Math.round(silentMs / 1000)} s`,
        });
    }
    return duties;
  }

  /** The records that were read came from an outage: their workers are heard from now on. */
  heardAgain(now: number): void {
    for (const claim of this.#claims.values()) claim.heardAt = now;
  }

  #record(worker: string, epoch: number, { cameraId, state, at }: Sighting, now: number): Claim {
    const claim = claimOf(epoch);
    const stopped = state === 'STOPPED';
    const newest = this.#claims.get(cameraId);
    if (!newest || claim > newest.claim) {
      const begun = { claim, holder: worker, epoch, stopped, heardAt: now, beatAt: at, beats: 0 };
      this.#claims.set(cameraId, begun);
      return begun;
    }
    if (claim === newest.claim) newest.epoch = Math.max(newest.epoch, epoch);
    if (claim === newest.claim && worker === newest.holder) {
      Object.assign(newest, { heardAt: now, stopped });
      const interval = (at - newest.beatAt) / 1_000;
      // A status between two beats.
      if (interval >= 0 && interval < BEAT[0]) return newest;
      newest.beats = interval >= 0 && interval <= BEAT[1] ? newest.beats + 1 : 0;
      newest.beatAt = at;
    }
    return newest;
  }

  #observeAsOwner({ cameraId, state }: Sighting, worker: string, mine: Mine, newest: Claim): Duty[] {
    const duties: Duty[] = [];
    if (!mine.confirmed) duties.push({ type: 'confirmed', cameraId });
    mine.confirmed = true;
    mine.yieldedTo = null;
    const contested = this.#contestedNow(worker, state, mine);
    if (contested !== mine.contestedBy) {
      mine.contestedBy = contested;
      duties.push({ type: 'contested', cameraId, by: contested });
    }
    if (newest.epoch >= newClaimAfter(mine.claim, 0) - RENEW_BEFORE)
      duties.push({ type: 'claimAgain', cameraId, why: 'the epochs of its claim are used up' });
    return duties;
  }

  /** The other worker that runs the camera, after its record was seen. */
  #contestedNow(worker: string, state: Sighting['state'], mine: Mine): string | null {
    if (worker === this.#worker) return mine.contestedBy;
    if (state === 'STOPPED') return worker === mine.contestedBy ? null : mine.contestedBy;
    // PAUSED: it has yielded and stands by.
    const isSure = state === 'PAUSED' || worker === mine.suspect;
    mine.suspect = worker;
    return isSure ? worker : mine.contestedBy;
  }
}

/** The first epoch of the claim after this one. */
function newClaimAfter(claim: number, random: number): number {
  return newClaim(claim * EPOCHS_PER_CLAIM, 0, random);
}
