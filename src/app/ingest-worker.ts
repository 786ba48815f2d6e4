import { monotonicMs, wallMicros } from '../clock.ts';
import { CameraAssignments } from '../cluster/ingest/camera-assignments.ts';
import { CropBatcher } from '../cluster/ingest/crop-batcher.ts';
import { CropPublisher } from '../cluster/ingest/crop-publisher.ts';
import { requireExternalBrokers } from '../cluster/options.ts';
import type { Config } from '../config/schema.ts';
import { diagnostics, type ProcessGauges } from '../diagnostics.ts';
import type { CameraStatus } from '../domain/camera-status.ts';
import { brokersAnswer } from '../domain/hold-cause.ts';
import { type CameraControl, CameraSet } from '../ingest/host/camera-set.ts';
import { CertificateMonitor } from '../kafka/certificate-monitor.ts';
import { log } from '../log.ts';
import { openPublisher, type Publisher } from '../publish/publisher.ts';
import { openOwners } from './camera-owners.ts';
import { publisherEvents } from './publisher-events.ts';
import { ResourceStack } from './resource-stack.ts';
import { RunStatistics, type Summary } from './summary.ts';
import { type Undelivered, undeliveredOf } from './undelivered.ts';
import { unreadFiles } from './unread-files.ts';
import { UnreadableCameras } from './unreadable-cameras.ts';
import { verifyRights } from './verify-rights.ts';

export interface IngestObserver {
  status?(status: CameraStatus): void;
}

export interface IngestWorker {
  /** Resolves when every camera of the config is a file and all have been played; rejects on failures. */
  readonly done: Promise<void>;
  /** Adds, removes and lists cameras while the worker runs. */
  readonly cameras: CameraControl;
  /** What the worker lacks to be ready; empty when it is ready. */
  missing(): string[];
  /** How much waits for the brokers. */
  stats(): ProcessGauges;
  /** Stops the cameras, then waits at most `flushMs` until the brokers have acknowledged their crops and statuses. */
  stop(flushMs: number): Promise<Omit<Summary, 'events' | 'lagMs'>>;
}

/** Interval of the check for crops that have waited `cluster.crops.maxWaitMs`. */
const FLUSH_INTERVAL_MS = 100;

/**
 * An ingest worker: cameras in, crops of their faces to the crops topic. Each record holds one hop, so that an inference
 * worker can score it at once.
 */
export async function openIngestWorker(config: Config, observer: IngestObserver = {}): Promise<IngestWorker> {
  const { kafka, cluster } = config;
  requireExternalBrokers(kafka);
  const resources = new ResourceStack();
  return resources.closeOnFailure(async () => {
    const certificates = new CertificateMonitor(kafka);
    resources.add('certificate monitor', () => certificates.close());
    await verifyRights(config, 'ingest');
    const statistics = new RunStatistics();
    const events = publisherEvents(statistics);
    const publisher = await openPublisher(kafka, { acknowledged: () => {}, ...events }, ['CameraStatus']);
    resources.add('status publisher', () => publisher.close());
    const crops = await CropPublisher.open(kafka, cluster, events);
    resources.add('crop publisher', () => crops.close());

    const batcher = new CropBatcher(config.infer);
    const flushTimer = setInterval(
      () => void crops.publish(batcher.flushOlderThan(monotonicMs() - cluster.crops.maxWaitMs)),
      FLUSH_INTERVAL_MS,
    );
    resources.add('flush timer', () => clearInterval(flushTimer));

    const reassigning = new Set<string>();
    const owners = openOwners(
      config,
      publisher,
      () => cameras,
      (cameraId) => void crops.publish(batcher.announce(cameraId)),
    );
    resources.add('camera owners', () => owners?.close());
    const tell = (status: CameraStatus) => {
      const withAllDrops = statistics.status(owners?.describe(status) ?? status);
      diagnostics.status.publish(status);
      owners?.publish(withAllDrops);
      observer.status?.(withAllDrops);
    };
    const cameras: CameraSet = new CameraSet(
      { ingest: config.ingest, detect: config.detect, allowed: cluster },
      {
        faces: async (faces) => {
          statistics.frame(faces);
          if (diagnostics.frame.hasSubscribers)
            diagnostics.frame.publish({ faces, at: wallMicros(), scoredElsewhere: true });
          await crops.publish(batcher.push(faces, monotonicMs()));
          if (faces.clockSource === 'file') await crops.roomForFiles();
        },
        epochEnded: (cameraId) => {
          const lastCrops = batcher.endEpoch(cameraId);
          // The next worker plays a file from its start. Inference skips the crops it already has, so the tracks of the
          // file continue; a last batch would end them.
          const continues = reassigning.has(cameraId) && lastCrops[0]?.clockSource === 'file';
          return continues ? undefined : crops.publish(lastCrops);
        },
        epochDiscarded: (cameraId) => {
          const { records, dropped } = batcher.discardEpoch(cameraId);
          statistics.dropped(cameraId, dropped, 'paused');
          return crops.publish(records);
        },
        status: tell,
        removed: (cameraId) => {
          if (owners?.speaksFor(cameraId) ?? true) publisher.removed(cameraId);
        },
      },
      () => false,
      owners,
    );
    let flushMs = 0;
    let undelivered: readonly Undelivered[] = [];
    // Whatever else fails to close: cameras stop and crops are flushed.
    resources.add('cameras', async () => {
      clearInterval(flushTimer);
      await cameras.close();
      await Promise.all([crops.flush(flushMs), flushOrWarn(publisher, flushMs)]);
      undelivered = [
        ...undeliveredOf(publisher.stats().topics, kafka.spool !== undefined),
        ...undeliveredOf([crops.delivery], false),
      ];
    });
    const unreadable = new UnreadableCameras(tell);
    const assignments =
      cluster.cameras === 'topic'
        ? await CameraAssignments.open(kafka, cluster, {
            run: async (camera) => {
              unreadable.delete(camera.id);
              await cameras.add(camera, 'topic');
            },
            unreadable: (id, error) => unreadable.add(id, error),
            stop: async (id) => {
              unreadable.stop(id, 'removed');
              if (!(await cameras.remove(id))) publisher.removed(id);
            },
            reassigned: async (id) => {
              unreadable.stop(id, 'stopped');
              reassigning.add(id);
              await cameras.remove(id, 'stopped');
              reassigning.delete(id);
            },
          })
        : null;
    resources.add('camera assignments', () => assignments?.close());
    for (const camera of config.cameras) void cameras.add(camera);

    const stats = () => ({ publisher: gaugesOf(publisher, crops) });
    return {
      done: assignments ? assignments.failed : cameras.played,
      cameras,
      missing: () => (brokersAnswer(stats().publisher) ? [] : ['Kafka is not reachable']),
      stats,
      async stop(limitMs) {
        flushMs = limitMs;
        const unread = unreadFiles(cameras.list());
        await resources.close();
        // Closing counts what was never delivered as dropped.
        const { events: _, lagMs: __, ...summary } = statistics.summary({ undelivered, unreadFiles: unread });
        return summary;
      },
    };
  });
}

async function flushOrWarn(publisher: Publisher, timeoutMs: number): Promise<void> {
  await publisher.flush(timeoutMs).catch((error: Error) => log.warn(error.message));
}

/** The publisher of statuses and that of crops as one. */
function gaugesOf(publisher: Publisher, crops: CropPublisher): ProcessGauges['publisher'] {
  const { connected, pending, spoolBytes, topics } = publisher.stats();
  return {
    connected: connected && crops.connected,
    pending: pending + crops.pending,
    spoolBytes,
    topics: [...topics, crops.delivery],
  };
}
