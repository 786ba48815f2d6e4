import { CameraAssignments } from '../cluster/ingest/camera-assignments.ts';
import { resolveCamera } from '../cluster/ingest/camera-config.ts';
import { CropBatcher } from '../cluster/ingest/crop-batcher.ts';
import { CropPublisher } from '../cluster/ingest/crop-publisher.ts';
import { requireExternalBrokers } from '../cluster/options.ts';
import type { Config } from '../config/schema.ts';
import { diagnostics, nowMicros, type ProcessGauges } from '../diagnostics.ts';
import type { CameraStatus } from '../domain/camera-status.ts';
import { type CameraControl, CameraSet } from '../ingest/host/cameras.ts';
import { log } from '../log.ts';
import { openPublisher, type Publisher } from '../publish/publisher.ts';
import { RunCounter, type Summary } from './summary.ts';

export interface IngestObserver {
  status?(status: CameraStatus): void;
}

export interface IngestWorker {
  /** Resolves when every camera of the config was a file and all of them have been played; rejects on failures. */
  readonly done: Promise<void>;
  /** Cameras come and go while it runs. */
  readonly cameras: CameraControl;
  missing(): string[];
  /** How much waits for the brokers. */
  stats(): ProcessGauges;
  /** Stops the cameras and waits up to `timeoutMs` for the brokers to have what they gave. */
  stop(timeoutMs: number): Promise<Pick<Summary, 'framesIn' | 'faces' | 'dropped'>>;
}

const LATE_MS = 100;

/**
 * An ingest worker: cameras in, their faces' crops to the crops topic. What it does not know of is inference; the
 * records are cut so that an inference worker can score each as it comes.
 */
export async function openIngestWorker(config: Config, observer: IngestObserver = {}): Promise<IngestWorker> {
  const { kafka, cluster } = config;
  requireExternalBrokers(kafka);
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
    observer.status?.(counted);
  };
  const batcher = new CropBatcher(config.infer);
  const late = setInterval(
    () => void crops.publish(batcher.flushOlderThan(performance.now() - cluster.crops.maxWaitMs)),
    LATE_MS,
  );
  const handedOver = new Set<string>();
  const cameras = new CameraSet(
    { ingest: config.ingest, detect: config.detect },
    {
      faces: (faces) => {
        counter.frame(faces);
        if (diagnostics.frame.hasSubscribers)
          diagnostics.frame.publish({ faces, at: nowMicros(), scoredElsewhere: true });
        return crops.publish(batcher.push(faces, performance.now()));
      },
      epochEnded: (cameraId) => {
        const rest = batcher.endEpoch(cameraId);
        // Another worker plays a file from its start: what was sent is passed over then, and its tracks go on.
        const goesOn = handedOver.has(cameraId) && rest[0]?.clockSource === 'file';
        return goesOn ? undefined : crops.publish(rest);
      },
      status,
    },
  );
  let share: CameraAssignments | null = null;
  if (cluster.cameras === 'topic') {
    try {
      share = await CameraAssignments.open(kafka, cluster, {
        run: async (camera) => void (await cameras.add(resolveCamera(camera))),
        stop: async (id) => void (await cameras.remove(id)),
        reassigned: async (id) => {
          handedOver.add(id);
          await cameras.remove(id, 'stopped');
          handedOver.delete(id);
        },
      });
    } catch (error) {
      clearInterval(late);
      await Promise.all([crops.close(), publisher.close()]);
      throw error;
    }
  }
  for (const camera of config.cameras) void cameras.add(camera);
  const stats = () => {
    const { connected, pending, spoolBytes } = publisher.stats();
    const both = { connected: connected && crops.connected, pending: pending + crops.pending };
    return { publisher: { ...both, spoolBytes } };
  };
  return {
    done: share ? share.failed : cameras.played,
    cameras,
    missing: () => (stats().publisher.connected ? [] : ['Kafka is not reachable']),
    stats,
    async stop(timeoutMs) {
      await share?.close();
      clearInterval(late);
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
