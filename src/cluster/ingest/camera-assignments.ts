import { Mutex } from 'async-mutex';
import { cameraId } from '../../camera/options.ts';
import type { AustreamError } from '../../errors.ts';
import { type ConsumedMessage, GroupReader } from '../../kafka/group-reader.ts';
import type { KafkaOptions } from '../../kafka/options.ts';
import { log } from '../../log.ts';
import type { ClusterOptions } from '../options.ts';
import { type CameraDefinition, decodeCamera } from './camera-definition.ts';
import { ensureCameraTopic } from './camera-topic.ts';

/** Characters of a key in a log line; a camera's id has at most 64. */
const MAX_SHOWN_KEY = 64;

export interface CameraAssignmentEvents {
  /** This worker runs the camera, with these settings. */
  run(camera: CameraDefinition): Promise<void>;
  /** The camera's record cannot be read by this version, and no earlier one was. */
  unreadable(id: string, error: AustreamError): void;
  /** The camera was removed. Resolves when it is stopped. */
  stop(id: string): Promise<void>;
  /** The camera's partition was revoked: another worker will run it. Resolves when it is stopped. */
  reassigned(id: string): Promise<void>;
}

/** An assigned partition of the camera topic. */
interface AssignedPartition {
  /** By camera id; null: removed. */
  readonly cameras: Map<string, CameraDefinition | null>;
  /** Cameras whose newest record cannot be read. */
  readonly unreadable: Map<string, AustreamError>;
  /** The partition was read to its end once. Before that a later record may replace what was read. */
  complete: boolean;
}

/**
 * The cameras of this worker: those in the partitions of `<prefix>camera-config` that the consumer group assigns to it.
 * The cameras of a worker that dies go to the others after the session timeout; a new worker gets its part.
 */
export class CameraAssignments {
  readonly #events: CameraAssignmentEvents;
  readonly #partitions = new Map<number, AssignedPartition>();
  #reader: GroupReader | null = null;
  /** Cameras start and stop one after another, in the order of the records. */
  readonly #changes = new Mutex();

  private constructor(events: CameraAssignmentEvents) {
    this.#events = events;
  }

  static async open(
    kafka: KafkaOptions,
    cluster: ClusterOptions,
    events: CameraAssignmentEvents,
  ): Promise<CameraAssignments> {
    const assignments = new CameraAssignments(events);
    // A consumer of a topic that is not there learns of it only minutes after somebody has created it.
    const topic = await ensureCameraTopic(kafka, (name) => log.warn(`this user may not create ${name}`));
    assignments.#reader = await GroupReader.open(
      kafka,
      {
        topic,
        group: `${cluster.group}-ingest`,
        sessionSeconds: cluster.sessionSeconds,
        from: 'beginning',
      },
      {
        assigned: (partition) =>
          void assignments.#partitions.set(partition, {
            cameras: new Map(),
            unreadable: new Map(),
            complete: false,
          }),
        revoked: (partition) => assignments.#release(partition),
        message: (message) => assignments.#onMessage(message),
        caughtUp: (partition) => assignments.#onCaughtUp(partition),
      },
    );
    return assignments;
  }

  /** Rejects when the brokers reject this worker. */
  get failed(): Promise<never> {
    return this.#reader!.failed;
  }

  /** Stops the cameras, then leaves the group. */
  async close(): Promise<void> {
    await Promise.all([...this.#partitions.keys()].map((partition) => this.#release(partition)));
    await this.#reader!.close();
  }

  #onMessage({ partition, key, value }: ConsumedMessage): void {
    const assigned = this.#partitions.get(partition);
    if (!assigned || !key) return;
    const id = key.toString();
    // No camera has such a key: its record could not be read, and nothing of it is on another topic.
    if (value === null && !cameraId.safeParse(id).success) return;
    let camera: CameraDefinition | null;
    try {
      camera = value && decodeCamera(id, value);
    } catch (error) {
      assigned.unreadable.set(id, error as AustreamError);
      if (assigned.complete) this.#reportUnreadable(assigned);
      const shown = id.slice(0, MAX_SHOWN_KEY);
      log.error({ cameraId: shown }, `camera ${shown}: ${(error as Error).message}`);
      return;
    }
    assigned.unreadable.delete(id);
    assigned.cameras.set(id, camera);
    if (assigned.complete) this.#apply(id, camera);
  }

  #onCaughtUp(partition: number): void {
    const assigned = this.#partitions.get(partition);
    if (!assigned || assigned.complete) return;
    assigned.complete = true;
    for (const [id, camera] of assigned.cameras) if (camera) this.#apply(id, camera);
    this.#reportUnreadable(assigned);
  }

  /** A camera goes on with its last readable record. Keys that no camera can have are only logged. */
  #reportUnreadable({ cameras, unreadable }: AssignedPartition): void {
    for (const [id, error] of unreadable)
      if (!cameras.get(id) && cameraId.safeParse(id).success)
        // After earlier changes of the camera, whose statuses come before this one.
        void this.#changes.runExclusive(() => this.#events.unreadable(id, error));
  }

  #apply(id: string, camera: CameraDefinition | null): void {
    this.#changes
      .runExclusive(() => (camera ? this.#events.run(camera) : this.#events.stop(id)))
      .catch((error: Error) => log.error({ cameraId: id }, error.message));
  }

  async #release(partition: number): Promise<void> {
    const assigned = this.#partitions.get(partition);
    this.#partitions.delete(partition);
    // The mutex is fair: every change that was queued before is applied.
    await this.#changes.runExclusive(() => {});
    if (!assigned) return;
    const ids = new Set([...assigned.cameras.keys(), ...assigned.unreadable.keys()]);
    await Promise.all([...ids].map((id) => this.#events.reassigned(id)));
  }
}
