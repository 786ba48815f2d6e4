import type { Config } from '../config.ts';
import { diagnostics, nowMicros } from '../diagnostics.ts';
import type { CameraStatus } from '../domain.ts';
import type { CameraOptions } from '../ingest/options.ts';
import { CameraSupervisor } from '../ingest/supervisor.ts';
import { log } from '../log.ts';
import { openPublisher, type Publisher } from '../publish/publisher.ts';
import { RunCounter, type Summary } from '../summary.ts';
import { CropBatcher } from './batcher.ts';
import { resolveCamera } from './camera-config.ts';
import { CameraShare } from './camera-share.ts';
import { CropPublisher } from './crop-publisher.ts';
import { requireBrokers } from './prerequisites.ts';

export interface IngestOnlooker {
  status?(status: CameraStatus): void;
}

export interface IngestWorker {
  /** Resolves when every camera of the config was a file and all of them have been played; rejects on failures. */
  readonly done: Promise<void>;
  missing(): string[];
  /** Stops the cameras and waits up to `timeoutMs` for the brokers to have what they gave. */
  stop(timeoutMs: number): Promise<Pick<Summary, 'framesIn' | 'faces' | 'dropped'>>;
}

const LATE_MS = 100;

/**
 * An ingest worker: cameras in, their faces' crops to the crops topic. What it does not know of is inference; the
 * records are cut so that an inference worker can score each as it comes.
 */
export async function openIngestWorker(config: Config, onlooker: IngestOnlooker = {}): Promise<IngestWorker> {
  const { kafka, cluster } = config;
  requireBrokers(kafka);
  const counter = new RunCounter();
  const dropped = (cameraId: string, count: number, cause: string) => {
    counter.dropped(cameraId, count, cause);
    diagnostics.lost.publish({ cameraId, count, cause });
  };
  const connection = (state: 'connected' | 'away', detail: string) =>
    log[state === 'away' ? 'warn' : 'info']({ kafka: state }, detail);
  const publisher = await openPublisher(kafka, { acknowledged: () => {}, dropped, connection });
  const crops = await CropPublisher.open(kafka, cluster, { dropped, connection }).catch(async (error) => {
    await publisher.close();
    throw error;
  });
  const status = (given: CameraStatus) => {
    const counted = counter.status(given);
    diagnostics.status.publish(given);
    publisher.status(counted);
    onlooker.status?.(counted);
  };
  const cameras = new Cameras(config, crops, counter, status);
  let share: CameraShare | null = null;
  if (cluster.cameras === 'topic') {
    try {
      share = await CameraShare.open(kafka, cluster, {
        run: (camera) => cameras.run(resolveCamera(camera)),
        stop: (id) => cameras.stop(id),
      });
    } catch (error) {
      await Promise.all([crops.close(), publisher.close()]);
      throw error;
    }
  }
  const played = Promise.all(config.cameras.map((camera) => cameras.run(camera))).then(() =>
    cameras.played(),
  );
  return {
    done: share ? share.failed : played,
    missing: () => (crops.connected && publisher.stats().connected ? [] : ['Kafka is not reachable']),
    async stop(timeoutMs) {
      await share?.close();
      await cameras.close();
      await Promise.all([crops.flush(timeoutMs), flushed(publisher, timeoutMs)]);
      await Promise.all([crops.close(), publisher.close()]);
      const { framesIn, faces, dropped: lost } = counter.summary();
      return { framesIn, faces, dropped: lost };
    },
  };
}

async function flushed(publisher: Publisher, timeoutMs: number): Promise<void> {
  await publisher.flush(timeoutMs).catch((error: Error) => log.warn(error.message));
}

/** The cameras that this worker runs, all feeding one batcher. */
class Cameras {
  readonly #config: Config;
  readonly #crops: CropPublisher;
  readonly #counter: RunCounter;
  readonly #status: (status: CameraStatus) => void;
  readonly #batcher: CropBatcher;
  readonly #supervisors = new Map<string, CameraSupervisor>();
  readonly #late: NodeJS.Timeout;

  constructor(
    config: Config,
    crops: CropPublisher,
    counter: RunCounter,
    status: (status: CameraStatus) => void,
  ) {
    this.#config = config;
    this.#crops = crops;
    this.#counter = counter;
    this.#status = status;
    this.#batcher = new CropBatcher(config.infer);
    this.#late = setInterval(() => {
      const since = performance.now() - config.cluster.crops.maxWaitMs;
      void this.#crops.publish(this.#batcher.late(since));
    }, LATE_MS);
  }

  /** Starts a camera, in place of the one of this id that may run. */
  async run(camera: CameraOptions): Promise<void> {
    await this.stop(camera.id);
    const { ingest, detect } = this.#config;
    const supervisor = new CameraSupervisor(
      camera,
      { ingest, detect },
      {
        faces: (faces) => {
          this.#counter.frame(faces);
          if (diagnostics.frame.heard) diagnostics.frame.publish({ faces, at: nowMicros(), handedOn: true });
          return this.#crops.publish(this.#batcher.push(faces, performance.now()));
        },
        epochEnded: (cameraId) => this.#crops.publish(this.#batcher.end(cameraId)),
        status: this.#status,
      },
    );
    this.#supervisors.set(camera.id, supervisor);
    supervisor.start();
  }

  async stop(id: string): Promise<void> {
    const supervisor = this.#supervisors.get(id);
    this.#supervisors.delete(id);
    await supervisor?.stop();
  }

  async played(): Promise<void> {
    await Promise.all([...this.#supervisors.values()].map((supervisor) => supervisor.done));
  }

  async close(): Promise<void> {
    clearInterval(this.#late);
    await Promise.all([...this.#supervisors.keys()].map((id) => this.stop(id)));
  }
}
