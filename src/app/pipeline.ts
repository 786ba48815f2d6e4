import type { Config } from '../config/schema.ts';
import { diagnostics, nowMicros } from '../diagnostics.ts';
import type { CameraStatus } from '../domain/camera-status.ts';
import type { AuActivation, AuFrame } from '../domain/event.ts';
import type { FrameFaces } from '../domain/face.ts';
import { openModel } from '../infer/engine/index.ts';
import { InferStage } from '../infer/stage.ts';
import { effectiveThresholds } from '../infer/track.ts';
import { type CameraControl, CameraSet } from '../ingest/host/cameras.ts';
import { log } from '../log.ts';
import { openPublisher, type PublisherStats } from '../publish/publisher.ts';
import { RunCounter, type Summary } from './summary.ts';

/** Who looks on while the pipeline runs: the terminal, the JSON output, the summary of a demo. */
export interface PipelineObserver {
  frames?(frames: readonly AuFrame[]): void;
  activations?(activations: readonly AuActivation[]): void;
  status?(status: CameraStatus): void;
  /** Crops of one frame on their way to the model. */
  faces?(faces: FrameFaces): void;
}

export interface Pipeline {
  /** Where consumers connect. */
  readonly brokers: string;
  /** Cameras come and go while it runs. */
  readonly cameras: CameraControl;
  /** Resolves when every camera was a file and all of them have been played; rejects when a stage fails. */
  readonly done: Promise<void>;
  /** (12) smoothed score from which each AU counts as active. */
  readonly thresholds: Float32Array;
  /** What keeps it from being ready; empty when nothing does. */
  missing(): string[];
  /** How full its queues are. */
  stats(): { readonly queuedCrops: number; readonly publisher: PublisherStats };
  /**
   * Stops the cameras, scores what they gave, hands it all to Kafka; `delivered` runs when Kafka has it and before
   * the embedded broker goes. Where the model has failed, or fails now, Kafka gets what was scored before, and how the
   * cameras ended; then it rejects with that failure. Rejects with KAFKA_UNREACHABLE where Kafka took too long.
   */
  stop(timeouts: ShutdownTimeouts, delivered?: () => Promise<void>): Promise<Summary>;
}

/** How long an end may take. */
export interface ShutdownTimeouts {
  /** A model that gives nothing for so long while something waits for it has failed. */
  readonly modelMs: number;
  /** All that was scored must be acknowledged by then. */
  readonly kafkaMs: number;
}

/**
 * The whole way of the data on one machine:
 *
 *   camera child ─ FrameFaces ─▶ InferStage ─ AuFrame, AuActivation ─▶ Publisher ─▶ topics
 *                └ CameraStatus ──────────────────────────────────────▲
 */
export async function openPipeline(config: Config, observer: PipelineObserver = {}): Promise<Pipeline> {
  const counter = new RunCounter();
  const lost = (cameraId: string, count: number, cause: string) => {
    counter.dropped(cameraId, count, cause);
    diagnostics.lost.publish({ cameraId, count, cause });
  };
  const model = await openModel(config.infer);
  const publisher = await openPublisher(config.kafka, {
    acknowledged: (frame, at) => {
      counter.acknowledged(frame, at);
      if (diagnostics.acknowledged.hasSubscribers) diagnostics.acknowledged.publish({ frame, at });
    },
    dropped: lost,
    connection: (state, detail) =>
      log[state === 'away' ? 'warn' : 'info']({ kafka: state }, `Kafka is ${state}: ${detail}`),
  }).catch(async (error) => {
    await model.close();
    throw error;
  });

  const stage = new InferStage(model, config.infer, {
    frames: (frames) => {
      counter.events(frames.length);
      if (diagnostics.published.hasSubscribers) diagnostics.published.publish({ frames, at: nowMicros() });
      publisher.frames(frames);
      observer.frames?.(frames);
    },
    activations: (activations) => {
      publisher.activations(activations);
      observer.activations?.(activations);
    },
    dropped: (cameraId, crops) => lost(cameraId, crops, 'inference_overload'),
  });

  const cameras = new CameraSet(
    { ingest: config.ingest, detect: config.detect },
    {
      faces: (faces) => {
        counter.frame(faces);
        if (diagnostics.frame.hasSubscribers) diagnostics.frame.publish({ faces, at: nowMicros() });
        observer.faces?.(faces);
        return stage.push(faces);
      },
      epochEnded: (cameraId, epoch) => stage.endEpoch(cameraId, epoch),
      status: (status) => {
        const counted = counter.status(status);
        diagnostics.status.publish(status);
        publisher.status(counted);
        observer.status?.(counted);
      },
    },
    // What waits of files says nothing: they take what time the model has left.
    () => stage.queuedLiveCrops > config.infer.maxWaiting / 2,
  );
  for (const camera of config.cameras) void cameras.add(camera);

  const played = cameras.played.then(() => stage.flush());
  const done = Promise.race([played, stage.failed]);
  // For whoever waits for it; a model that fails while the run ends is what `stop` tells of.
  done.catch(() => {});
  return {
    brokers: publisher.brokers,
    cameras,
    thresholds: effectiveThresholds(model, config.infer),
    done,
    stats: () => ({ queuedCrops: stage.queuedCrops, publisher: publisher.stats() }),
    missing: () => (publisher.stats().connected ? [] : ['Kafka is not reachable']),
    async stop({ modelMs, kafkaMs }, delivered) {
      const stopStallWatch = stage.watchForStall(modelMs);
      try {
        // With its last epoch ends what each of them gave: scored, or failed.
        await cameras.close();
        const failure = await stage.flush().catch((error: Error) => error);
        await publisher.flush(kafkaMs).catch((error: Error) => {
          throw failure ?? error;
        });
        if (failure) throw failure;
        await delivered?.();
        return counter.summary();
      } finally {
        stopStallWatch();
        await publisher.close();
        await model.close();
      }
    },
  };
}
