import type { Message } from 'node-rdkafka';
import { GroupReader } from '../../kafka/group-reader.ts';
import type { KafkaOptions } from '../../kafka/options.ts';
import { log } from '../../log.ts';
import type { ClusterOptions } from '../options.ts';
import { clusterTopics } from '../topics.ts';
import { type CameraDefinition, decodeCamera } from './camera-config.ts';

export interface CameraAssignmentEvents {
  /** This worker runs the camera now, with these settings. */
  run(camera: CameraDefinition): Promise<void>;
  /** The camera was removed. Resolves when it is stopped. */
  stop(id: string): Promise<void>;
  /** Another worker will run the camera. Resolves when it is stopped. */
  reassigned(id: string): Promise<void>;
}

/** What one partition of the topic says. */
interface AssignedPartition {
  readonly cameras: Map<string, CameraDefinition | null>;
  /** Until all of the partition was read once, later records may overrule what was read. */
  complete: boolean;
}

/**
 * This worker's share of the cameras: those of the partitions of `<prefix>camera-config` that its consumer group has
 * given it. A worker that dies loses them to others within the session time-out, a new one takes its share.
 */
export class CameraAssignments {
  readonly #events: CameraAssignmentEvents;
  readonly #partitions = new Map<number, AssignedPartition>();
  #reader: GroupReader | null = null;
  /** Cameras start and stop one after another. */
  #acting: Promise<void> = Promise.resolve();

  private constructor(events: CameraAssignmentEvents) {
    this.#events = events;
  }

  static async open(
    kafka: KafkaOptions,
    cluster: ClusterOptions,
    events: CameraAssignmentEvents,
  ): Promise<CameraAssignments> {
    const share = new CameraAssignments(events);
    share.#reader = await GroupReader.open(
      kafka,
      {
        topic: clusterTopics(kafka.topicPrefix).cameraConfig,
        group: `${cluster.group}-ingest`,
        sessionSeconds: cluster.sessionSeconds,
        from: 'beginning',
      },
      {
        assigned: (partition) =>
          void share.#partitions.set(partition, { cameras: new Map(), complete: false }),
        revoked: (partition) => share.#releasePartition(partition),
        message: (message) => share.#read(message),
        caughtUp: (partition) => share.#complete(partition),
      },
    );
    return share;
  }

  /** Rejects when the brokers refuse. */
  get failed(): Promise<never> {
    return this.#reader!.failed;
  }

  /** Leaves the group when the cameras are stopped. */
  async close(): Promise<void> {
    await Promise.all([...this.#partitions.keys()].map((partition) => this.#releasePartition(partition)));
    await this.#reader!.close();
  }

  #read({ partition, key, value }: Message): void {
    const share = this.#partitions.get(partition);
    if (!share || !key) return;
    const id = key.toString();
    let camera: CameraDefinition | null;
    try {
      camera = value && decodeCamera(value);
    } catch (error) {
      log.error(
        { cameraId: id },
        `the definition of camera ${id} cannot be read: ${(error as Error).message}`,
      );
      return;
    }
    share.cameras.set(id, camera);
    if (share.complete) this.#apply(id, camera);
  }

  #complete(partition: number): void {
    const share = this.#partitions.get(partition);
    if (!share || share.complete) return;
    share.complete = true;
    for (const [id, camera] of share.cameras) if (camera) this.#apply(id, camera);
  }

  #apply(id: string, camera: CameraDefinition | null): void {
    this.#acting = this.#acting
      .then(() => (camera ? this.#events.run(camera) : this.#events.stop(id)))
      .catch((error: Error) => log.error({ cameraId: id }, error.message));
  }

  async #releasePartition(partition: number): Promise<void> {
    const share = this.#partitions.get(partition);
    this.#partitions.delete(partition);
    await this.#acting;
    await Promise.all([...(share?.cameras.keys() ?? [])].map((id) => this.#events.reassigned(id)));
  }
}
