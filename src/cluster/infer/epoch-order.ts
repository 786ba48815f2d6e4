import type { Micros } from '../../domain/frame.ts';

/**
 * `current`: of the camera's epoch. `begins`: of a newer epoch, which ends the current one. `revives`: of an older epoch
 * whose owner goes on while the current one is silent. `old`: of an older epoch; its crops are skipped.
 */
export type EpochVerdict = 'current' | 'begins' | 'revives' | 'old';

/** Older epochs of a camera whose silence of the current one is measured at a time. */
const MAX_CHALLENGERS = 8;

interface CameraEpoch {
  readonly epoch: number;
  /** Older epochs that have sent crops since the current one was last heard, and when each did so first. */
  readonly challengers: Map<number, Micros>;
}

/**
 * Which epoch of a camera counts in a partition. The newest wins. But two workers may run one camera, and when the newer
 * one dies the older one goes on with its older epoch: an epoch that is silent for `idleSeconds` blocks no other.
 *
 * Silence is measured in the order of the records and by the clock of the challenger alone: crops of the older epoch
 * span `idleSeconds` with no record of the current one between them. So neither differing clocks of hosts nor a pause of this
 * worker count as silence.
 */
export class EpochOrder {
  readonly #idle: Micros;
  /** In the order in which the epochs began. */
  readonly #cameras = new Map<string, CameraEpoch>();

  constructor(idleSeconds: number) {
    this.#idle = idleSeconds * 1e6;
  }

  get size(): number {
    return this.#cameras.size;
  }

  has(cameraId: string): boolean {
    return this.#cameras.has(cameraId);
  }

  /** The camera whose epoch began the longest ago. */
  get oldestCamera(): string {
    return this.#cameras.keys().next().value!;
  }

  /** The epoch that counts, by camera. */
  get current(): Map<string, number> {
    return new Map([...this.#cameras].map(([cameraId, { epoch }]) => [cameraId, epoch]));
  }

  begin(cameraId: string, epoch: number): void {
    this.#cameras.delete(cameraId);
    this.#cameras.set(cameraId, { epoch, challengers: new Map() });
  }

  forget(cameraId: string): void {
    this.#cameras.delete(cameraId);
  }

  /** `receivedAt`: of the record's newest crop, on its worker's clock; null: it has none. */
  judge(cameraId: string, epoch: number, receivedAt: Micros | null): EpochVerdict {
    const camera = this.#cameras.get(cameraId);
    if (camera === undefined || epoch > camera.epoch) return 'begins';
    const { challengers } = camera;
    if (epoch === camera.epoch) {
      challengers.clear();
      return 'current';
    }
    if (receivedAt === null) return 'old';
    const since = challengers.get(epoch);
    if (since !== undefined) return receivedAt - since >= this.#idle ? 'revives' : 'old';
    if (challengers.size >= MAX_CHALLENGERS) challengers.delete(challengers.keys().next().value!);
    challengers.set(epoch, receivedAt);
    return 'old';
  }
}
