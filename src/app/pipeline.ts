import { wallMicros } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import { diagnostics, type ProcessGauges } from '../diagnostics.ts';
import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuActivation, AuFrame } from '../domain/event.ts';
import type { FrameFaces } from '../domain/face.ts';
import { brokersAnswer } from '../domain/hold-cause.ts';
import type { TopicDelivery } from '../domain/topic-delivery.ts';
import { openModel } from '../infer/engine/index.ts';
import { InferStage } from '../infer/stage.ts';
import { effectiveThresholds } from '../infer/track.ts';
import { type CameraControl, CameraSet } from '../ingest/host/camera-set.ts';
import { CertificateMonitor } from '../kafka/certificate-monitor.ts';
import { openPublisher } from '../publish/publisher.ts';
import { openOwners } from './camera-owners.ts';
import { publisherEvents } from './publisher-events.ts';
import { ResourceStack } from './resource-stack.ts';
import { RunStatistics, type Summary } from './summary.ts';
import { type Undelivered, undeliveredOf } from './undelivered.ts';
import { unreadFiles } from './unread-files.ts';
import { verifyRights } from './verify-rights.ts';

/** Is notified of everything that passes through the pipeline: the terminal, the JSON output, the live page. */
export interface PipelineObserver {
  frames?(frames: readonly AuFrame[]): void;
  activations?(activations: readonly AuActivation[]): void;
  status?(status: CameraStatus): void;
  /** Crops of one frame before the model scores them. */
  faces?(faces: FrameFaces): void;
  /** Resolves when it can take more, or `signal` is aborted; null: now. Files wait for it, live cameras do not. */
  room?(signal: AbortSignal): Promise<void> | null;
  /** How delivery goes, about once a second, and what was lost so far, by cause. */
  delivery?(topics: readonly TopicDelivery[], lost: Readonly<Record<string, number>>): void;
}

export interface Pipeline {
  /** Where consumers connect. */
  readonly brokers: string;
  /** Adds, removes and lists cameras while the pipeline runs. */
  readonly cameras: CameraControl;
  /** Resolves when every camera is a file and all have been played; rejects when a stage fails. */
  readonly done: Promise<void>;
  /** (12) smoothed score from which each AU counts as active. */
  readonly thresholds: Float32Array;
  /** What the pipeline lacks to be ready; empty when it is ready. */
  missing(): string[];
  /** How full its queues are. */
  stats(): ProcessGauges;
  /**
   * Stops the cameras, scores their last crops, flushes every event to Kafka and closes everything. `delivered` runs
   * after the flush and before the embedded broker closes. After a failure of the model, Kafka still gets the events
   * scored before it and the last status of each camera; then `stop` rejects with that failure. When the flush times out,
   * the summary says what was not delivered.
   */
  stop(timeouts: ShutdownTimeouts, delivered?: () => Promise<void>): Promise<Summary>;
}

/** Time limits of a shutdown. */
export interface ShutdownTimeouts {
  /** A model that returns nothing for this long while crops wait for it has failed. */
  readonly modelMs: number;
  /** Limit for the acknowledgement of every scored event. */
  readonly kafkaMs: number;
}

/**
 * The whole data flow on one machine:
 *
 *   camera process ─ FrameFaces ─▶ InferStage ─ AuFrame, AuActivation ─▶ Publisher ─▶ topics
 *                  └ CameraStatus ──────────────────────────────────────▲
 */
export async function openPipeline(config: Config, observer: PipelineObserver = {}): Promise<Pipeline> {
  const resources = new ResourceStack();
  return resources.closeOnFailure(async () => {
    const certificates = new CertificateMonitor(config.kafka);
    resources.add('certificate monitor', () => certificates.close());
    const statistics = new RunStatistics();
    const { dropped, ...reports } = publisherEvents(statistics);
    const verified = verifyRights(config, 'run');
    verified.catch(() => {});
    const model = await openModel(config.infer);
    resources.add('model', () => model.close());
    await verified;

    const publisher = await openPublisher(config.kafka, {
      acknowledged: (frame, at) => {
        statistics.acknowledged(frame);
        if (diagnostics.acknowledged.hasSubscribers) diagnostics.acknowledged.publish({ frame, at });
      },
      dropped,
      ...reports,
    });
    resources.add('publisher', () => publisher.close());

    const stopping = new AbortController();
    const stage = new InferStage(model, config.infer, {
      frames: (frames) => {
        statistics.events(frames.length);
        if (diagnostics.published.hasSubscribers) diagnostics.published.publish({ frames, at: wallMicros() });
        publisher.frames(frames);
        observer.frames?.(frames);
      },
      activations: (activations) => {
        publisher.activations(activations);
        observer.activations?.(activations);
      },
      dropped: (cameraId, crops) => dropped(cameraId, crops, 'inference_overload'),
    });

    const owners = openOwners(config, publisher, () => cameras);
    resources.add('camera owners', () => owners?.close());
    const cameras: CameraSet = new CameraSet(
      { ingest: config.ingest, detect: config.detect, allowed: config.cluster },
      {
        faces: (faces) => {
          statistics.frame(faces);
          if (diagnostics.frame.hasSubscribers) diagnostics.frame.publish({ faces, at: wallMicros() });
          observer.faces?.(faces);
          const room = faces.clockSource === 'file' ? observer.room?.(stopping.signal) : null;
          return room ? room.then(() => stage.push(faces)) : stage.push(faces);
        },
        epochEnded: (cameraId, epoch) => stage.endEpoch(cameraId, epoch),
        epochDiscarded: async (cameraId, epoch) =>
          statistics.dropped(cameraId, await stage.discardEpoch(cameraId, epoch), 'paused'),
        status: (status) => {
          const withAllDrops = statistics.status(owners?.describe(status) ?? status);
          diagnostics.status.publish(status);
          if (owners) owners.publish(withAllDrops);
          else publisher.status(withAllDrops);
          observer.status?.(withAllDrops);
        },
        removed: (cameraId) => {
          if (owners?.speaksFor(cameraId) ?? true) publisher.removed(cameraId);
        },
      },
      // Only live crops count as backpressure; files use the time that is left.
      () => stage.queuedLiveCrops > config.infer.maxWaiting / 2,
      owners,
    );
    for (const camera of config.cameras) void cameras.add(camera);

    const played = cameras.played.then(() => stage.flush());
    const done = Promise.race([played, stage.failed]);
    // A failure during the shutdown is reported by `stop`, when nobody waits for `done` any more.
    done.catch(() => {});
    return {
      brokers: publisher.brokers,
      cameras,
      thresholds: effectiveThresholds(model, config.infer),
      done,
      stats: () => ({ queuedCrops: stage.queuedCrops, publisher: publisher.stats() }),
      missing: () => (brokersAnswer(publisher.stats()) ? [] : ['Kafka is not reachable']),
      async stop({ modelMs, kafkaMs }, delivered) {
        let undelivered: readonly Undelivered[] = [];
        const unread = unreadFiles(cameras.list());
        await resources.closeAfter(async () => {
          stopping.abort();
          const stopStallWatch = stage.watchForStall(modelMs);
          try {
            // Each camera's last epoch ends here: its crops are scored, or their scoring has failed.
            await cameras.close();
            const modelFailure = await stage.flush().catch((error: Error) => error);
            const timeout = await publisher.flush(kafkaMs).then(
              () => null,
              (error: Error) => error,
            );
            if (modelFailure) throw modelFailure;
            undelivered = undeliveredOf(publisher.stats().topics, config.kafka.spool !== undefined);
            if (timeout && undelivered.length === 0) throw timeout;
            if (!timeout) await delivered?.();
          } finally {
            stopStallWatch();
          }
        });
        // Closing counts what was never delivered as dropped.
        return statistics.summary({ undelivered, unreadFiles: unread });
      },
    };
  });
}
