import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { monotonicMs, wallMicros, wallMs } from '../../clock.ts';
import { diagnostics } from '../../diagnostics.ts';
import type { CameraStatus } from '../../domain/camera-status.ts';
import type { KafkaOptions } from '../../kafka/options.ts';
import { TopicTail } from '../../kafka/topic-tail.ts';
import { log, RepeatedWarning } from '../../log.ts';
import { RecordDecoder } from '../../records/decode.ts';
import { SchemaRegistry } from '../../records/schema-registry.ts';
import { topicNames } from '../../records/topics.ts';
import { BEAT_MS, CameraLedger, type Duty } from './camera-ledger.ts';

export interface CameraOwnersEvents {
  /** Publishes to `<prefix>cameras`. */
  publish(status: CameraStatus): void;
  /** Another worker has taken the camera over: it is to be stopped. `detail`: one sentence for people. */
  yield(cameraId: string, detail: string): void;
  /** The camera is to be claimed and started again. */
  takeOver(cameraId: string): void;
  /** The camera's epoch is to be announced to every partition of the crops again. */
  beat?(cameraId: string): void;
}

/** Longest wait for a claim to be read back. Without brokers a camera starts all the same. */
const CLAIM_TIMEOUT_MS = 5_000;
const CHECK_MS = 500;

/** The name of this process among the workers: host, process id, and what distinguishes it from earlier ones. */
function workerName(): string {
  return `${hostname().slice(0, 64)}/${process.pid}-${randomBytes(3).toString('hex')}`;
}

/**
 * This process as one of those that run cameras: claims epochs for its cameras through `<prefix>cameras`, stops a camera
 * that another worker has claimed after it, and takes it over again when that one is gone. `camera-ledger.ts` decides.
 */
export class CameraOwners {
  readonly worker: string;
  readonly #ledger: CameraLedger;
  readonly #events: CameraOwnersEvents;
  readonly #tail: TopicTail;
  readonly #decoder: RecordDecoder;
  readonly #timer: NodeJS.Timeout;
  readonly #warning = new RepeatedWarning({});
  readonly #caughtUp = Promise.withResolvers<void>();
  /** Claims that the log has not confirmed or refused yet. */
  readonly #judgements = new Map<string, () => void>();
  /** The newest status of each camera of this process. */
  readonly #statuses = new Map<string, CameraStatus>();
  /** Its first epoch, for statuses of a camera that has not begun one. */
  readonly #claimed = new Map<string, number>();
  #beatAt = 0;
  #wasConnected = false;

  constructor(
    kafka: KafkaOptions,
    { statusSeconds, worker = workerName() }: { statusSeconds: number; worker?: string },
    events: CameraOwnersEvents,
  ) {
    this.worker = worker;
    this.#events = events;
    this.#ledger = new CameraLedger(worker, statusSeconds * 1_000);
    this.#decoder = new RecordDecoder(kafka.registry && new SchemaRegistry(kafka.registry));
    const topic = topicNames(kafka.topicPrefix).CameraStatus;
    this.#tail = new TopicTail(kafka, topic, {
      message: ({ value }) => this.#onMessage(value),
      caughtUp: () => this.#caughtUp.resolve(),
      failing: (detail) =>
        this.#warning.warn(
          `${topic} cannot be read: ${detail}; another worker that runs a camera of this one is not noticed ` +
            `(give this user the right to read ${topic})`,
        ),
    });
    this.#timer = setInterval(() => this.#check(), CHECK_MS);
  }

  /**
   * The first epoch of a new claim of the camera, above those of every other worker. Resolves when the brokers have the
   * claim; after some seconds in any case.
   */
  async claim(cameraId: string): Promise<number> {
    const deadline = monotonicMs() + CLAIM_TIMEOUT_MS;
    await this.#within(deadline, this.#caughtUp.promise);
    for (;;) {
      const before = this.#ledger.ownerOf(cameraId);
      const epoch = this.#ledger.claim(cameraId, wallMs(), Math.random());
      const judged = Promise.withResolvers<void>();
      this.#judgements.set(cameraId, judged.resolve);
      this.#claimed.set(cameraId, epoch);
      this.#events.publish(claimStatus(cameraId, epoch, this.worker, before?.worker ?? null));
      await this.#within(deadline, judged.promise);
      this.#judgements.delete(cameraId);
      if (this.#ledger.isConfirmed(cameraId) || monotonicMs() >= deadline) return epoch;
    }
  }

  /** This process no longer runs the camera. */
  release(cameraId: string): void {
    this.#ledger.release(cameraId);
    this.#statuses.delete(cameraId);
    this.#claimed.delete(cameraId);
    this.#report(cameraId, null);
  }

  /** The status with the worker's name, and what other worker runs the camera too. */
  describe(status: CameraStatus): CameraStatus {
    const other = this.#ledger.contestedBy(status.cameraId);
    const note =
      other === null
        ? ''
        : `; ${other} has this camera in its config too, and this worker (${this.worker}), which is newer, runs it`;
    return {
      ...status,
      worker: this.worker,
      detail: `${status.detail}${note}`,
      epoch: status.epoch ?? this.#claimed.get(status.cameraId) ?? null,
    };
  }

  /** A status of this process; `describe` has seen it. Publishes it unless another worker speaks for the camera. */
  publish(status: CameraStatus): void {
    const { cameraId } = status;
    const yields = status.state === 'PAUSED' && status.cause === 'superseded';
    const before = this.#statuses.get(cameraId);
    this.#statuses.set(cameraId, status);
    // Said once, so that the newer worker knows of this one; then the topic shows its statuses only.
    const isFirst = !(before?.state === 'PAUSED' && before.cause === 'superseded');
    const standsBy = !this.#ledger.mayPublish(cameraId);
    if (!standsBy || (yields && isFirst) || status.state === 'STOPPED') this.#events.publish(status);
  }

  /** Whether this worker speaks for the camera on the topic. */
  speaksFor(cameraId: string): boolean {
    return this.#ledger.mayPublish(cameraId);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#tail.close();
  }

  async #onMessage(value: Buffer | null): Promise<void> {
    // A tombstone: the camera was removed. Its epochs stay known.
    if (value === null) return;
    try {
      const decoded = await this.#decoder.decode(value);
      if (decoded.record !== 'CameraStatus') return;
      const { cameraId, worker, epoch, state, at } = decoded.value;
      for (const duty of this.#ledger.observe({ cameraId, worker, epoch, state, at }, monotonicMs()))
        this.#do(duty);
    } catch (error) {
      log.debug(`a record of the cameras: ${(error as Error).message}`);
    }
  }

  #do(duty: Duty): void {
    const { cameraId } = duty;
    switch (duty.type) {
      case 'confirmed':
        this.#judgements.get(cameraId)?.();
        return;
      case 'claimAgain':
        if (this.#judgements.has(cameraId)) this.#judgements.get(cameraId)!();
        else this.#takeOver(cameraId, duty.why);
        return;
      case 'yield': {
        const detail =
          `${duty.to}, which is newer, runs this camera with epochs from ${duty.epoch}; ` +
          `this worker (${this.worker}) stopped it and stands by`;
        log.error({ cameraId, by: duty.to }, `camera ${cameraId}: ${detail}`);
        this.#report(cameraId, 'superseded');
        this.#events.yield(cameraId, detail);
        return;
      }
      case 'contested':
        if (duty.by !== null)
          log.error(
            { cameraId, by: duty.by },
            `camera ${cameraId} has two workers: ${this.worker}, which is newer and runs it, and ${duty.by}; ` +
              'remove it from one of their configs',
          );
        this.#report(cameraId, duty.by === null ? null : 'owner');
        this.#beat(cameraId);
    }
  }

  #takeOver(cameraId: string, why: string): void {
    log.warn({ cameraId }, `camera ${cameraId}: ${this.worker} takes it over, because ${why}`);
    this.#report(cameraId, null);
    this.#ledger.release(cameraId);
    this.#events.takeOver(cameraId);
  }

  #check(): void {
    const now = monotonicMs();
    const { connected } = this.#tail;
    if (connected && !this.#wasConnected) this.#ledger.heardAgain(now);
    this.#wasConnected = connected;
    if (connected) for (const duty of this.#ledger.takeOver(now)) this.#do(duty);
    if (now < this.#beatAt + BEAT_MS) return;
    this.#beatAt = now;
    for (const cameraId of this.#statuses.keys())
      if (this.#ledger.contestedBy(cameraId) !== null) this.#beat(cameraId);
  }

  /** Tells a worker that stands by that this one is alive. */
  #beat(cameraId: string): void {
    const status = this.#statuses.get(cameraId);
    if (!status || !this.#ledger.mayPublish(cameraId) || status.state === 'STOPPED') return;
    this.#events.publish(this.describe({ ...status, at: wallMicros(), gap: null }));
    this.#events.beat?.(cameraId);
  }

  #report(cameraId: string, role: 'owner' | 'superseded' | null): void {
    diagnostics.ownership.publish({ cameraId, role });
  }

  async #within(deadline: number, promise: Promise<void>): Promise<void> {
    const { promise: timeout, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.max(0, deadline - monotonicMs()));
    await Promise.race([promise, timeout]);
    clearTimeout(timer);
  }
}

/** The record that claims a camera. */
function claimStatus(cameraId: string, epoch: number, worker: string, before: string | null): CameraStatus {
  const at = wallMicros();
  return {
    cameraId,
    at,
    state: 'CONNECTING',
    since: at,
    previous: null,
    cause: 'claimed',
    detail: `${worker} runs this camera from now on${before === null || before === worker ? '' : `; before it ${before} did`}`,
    epoch,
    worker,
    restarts: 0,
    width: null,
    height: null,
    codec: null,
    fps: null,
    analysisFps: null,
    lagMs: null,
    clockErrorMs: null,
    driftPpm: null,
    drops: {},
    gap: null,
  };
}
