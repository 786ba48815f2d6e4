import type { Attributes, Meter } from '@opentelemetry/api';
import { diagnostics, type ProcessGauges } from '../diagnostics.ts';
import type { CameraState, CameraStatus } from '../domain/camera-status.ts';
import { brokersAnswer } from '../domain/hold-cause.ts';
import { latency } from '../domain/latency.ts';
import { NewLosses } from '../domain/new-losses.ts';
import { watchDelivery } from './delivery.ts';
import { GpuReader } from './gpu.ts';

const STATES: readonly CameraState[] = [
  'CONNECTING',
  'LIVE',
  'STALLED',
  'RECONNECTING',
  'REFUSED',
  'PAUSED',
  'STOPPED',
];
const DURATION = {
  unit: 's',
  advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] },
};
const BATCH_SIZE = {
  unit: '{crop}',
  advice: { explicitBucketBoundaries: [1, 2, 4, 8, 16, 32, 64, 128, 256] },
};

/**
 * Turns the stages' diagnostics into metrics. docs/metrics.md lists every name; the queries in deploy/ use them (tests
 * compare). `end` removes the subscriptions.
 */
export function recordMetrics(meter: Meter): { watch(gauges: () => ProcessGauges): void; end(): void } {
  const cameras = new CameraMetrics(meter);
  const unsubscribes = [
    ...cameras.subscribe(),
    ...recordInference(meter),
    ...recordPublishing(meter),
    recordCertificates(meter),
    countClockSteps(meter),
  ];
  recordProcess(meter);
  new GpuReader().record(meter);
  return {
    watch: (gauges) => {
      watchQueues(meter, gauges);
      watchDelivery(meter, gauges);
    },
    end: () => {
      for (const unsubscribe of unsubscribes) unsubscribe();
    },
  };
}

/** Metrics per camera: state, rates, faces and drops. */
class CameraMetrics {
  readonly #statuses = new Map<string, CameraStatus>();
  readonly #faces = new Map<string, number>();
  /** Cameras that two processes run, and the part of this one. */
  readonly #contested = new Map<string, 'owner' | 'superseded'>();
  readonly #newLosses = new NewLosses();
  readonly #frames;
  readonly #detect;
  readonly #dropped;

  constructor(meter: Meter) {
    this.#frames = meter.createCounter('austream.camera.frames', {
      unit: '{frame}',
      description: 'Analysed frames that reached the host process',
    });
    this.#detect = meter.createHistogram('austream.detect.duration', {
      ...DURATION,
      description: 'Finding, tracking and aligning the faces of one frame',
    });
    this.#dropped = meter.createCounter('austream.dropped', {
      unit: '{item}',
      description: 'Frames, crops and events lost, by cause',
    });
    const gauge = (
      name: string,
      unit: string,
      description: string,
      read: (status: CameraStatus) => number | null,
    ) =>
      meter.createObservableGauge(name, { unit, description }).addCallback((result) => {
        for (const [camera, status] of this.#statuses) {
          const value = read(status);
          if (value !== null) result.observe(value, { camera });
        }
      });
    meter
      .createObservableGauge('austream.camera.state', {
        description: '1 for the current state of the camera',
      })
      .addCallback((result) => {
        for (const [camera, { state }] of this.#statuses)
          for (const candidate of STATES)
            result.observe(candidate === state ? 1 : 0, { camera, state: candidate });
      });
    meter
      .createObservableGauge('austream.camera.contested', {
        description: '1 while another process runs the camera too; role: what this one does',
      })
      .addCallback((result) => {
        for (const [camera, role] of this.#contested) result.observe(1, { camera, role });
      });
    gauge('austream.camera.fps', '{frame}/s', 'Analysed frames per second', ({ fps }) => fps);
    gauge(
      'austream.camera.restarts',
      '{restart}',
      'Restarts of a camera’s process',
      ({ restarts }) => restarts,
    );
    gauge(
      'austream.camera.faces',
      '{face}',
      'Faces in the newest frame',
      ({ cameraId }) => this.#faces.get(cameraId) ?? null,
    );
  }

  subscribe(): (() => void)[] {
    return [
      diagnostics.frame.subscribe(({ faces }) => {
        const attributes = { camera: faces.cameraId };
        this.#frames.add(1, attributes);
        this.#faces.set(faces.cameraId, faces.crops.length);
        if (faces.analysed) this.#detect.record((faces.analysed.to - faces.analysed.from) / 1e6, attributes);
      }),
      diagnostics.status.subscribe((status) => this.#update(status)),
      diagnostics.ownership.subscribe(({ cameraId, role }) => {
        if (role === null) this.#contested.delete(cameraId);
        else this.#contested.set(cameraId, role);
      }),
      diagnostics.lost.subscribe(({ cameraId, count, cause }) =>
        this.#dropped.add(count, { camera: cameraId, cause }),
      ),
    ];
  }

  #update(status: CameraStatus): void {
    for (const [cause, count] of this.#newLosses.of(status))
      this.#dropped.add(count, { camera: status.cameraId, cause });
    this.#statuses.set(status.cameraId, status);
    if (status.state !== 'LIVE') this.#faces.set(status.cameraId, 0);
  }
}

function recordInference(meter: Meter): (() => void)[] {
  const wait = meter.createHistogram('austream.infer.wait.duration', {
    ...DURATION,
    description: 'Longest wait of a crop in a batch',
  });
  const encode = meter.createHistogram('austream.infer.encode.duration', {
    ...DURATION,
    description: 'Run of the frame encoder over one batch',
  });
  const score = meter.createHistogram('austream.infer.score.duration', {
    ...DURATION,
    description: 'Run of the window encoders over the windows that were due',
  });
  const batch = meter.createHistogram('austream.infer.batch.size', {
    ...BATCH_SIZE,
    description: 'Crops in one batch',
  });
  const skipped = meter.createCounter('austream.infer.passed.over', {
    unit: '{crop}',
    description: 'Crops skipped: redelivered, or from an ended epoch',
  });
  return [
    diagnostics.encoded.subscribe(({ from, to, faces, longestWaitMs }) => {
      wait.record(longestWaitMs / 1_000);
      encode.record((to - from) / 1e6);
      batch.record(faces.length);
    }),
    diagnostics.scored.subscribe(({ from, to }) => score.record((to - from) / 1e6)),
    diagnostics.skipped.subscribe(({ cameraId, count, cause }) =>
      skipped.add(count, { camera: cameraId, cause }),
    ),
  ];
}

function recordPublishing(meter: Meter): (() => void)[] {
  const produced = meter.createCounter('austream.events.produced', {
    unit: '{event}',
    description: 'Scored faces handed to the publisher',
  });
  const acknowledged = meter.createCounter('austream.events.acknowledged', {
    unit: '{event}',
    description: 'Scored faces acknowledged by the broker',
  });
  const histogram = meter.createHistogram('austream.latency', {
    ...DURATION,
    description: 'From capture (files: from reading) to the broker’s acknowledgement',
  });
  return [
    diagnostics.published.subscribe(({ frames }) => {
      for (const { cameraId } of frames) produced.add(1, { camera: cameraId });
    }),
    diagnostics.acknowledged.subscribe(({ frame }) => {
      const attributes: Attributes = { camera: frame.cameraId };
      acknowledged.add(1, attributes);
      histogram.record(latency(frame) / 1e6, { ...attributes, clock: frame.clockSource });
    }),
  ];
}

function countClockSteps(meter: Meter): () => void {
  const steps = meter.createCounter('austream.clock.steps', {
    unit: '{step}',
    description: 'Times that the host’s wall clock was set',
  });
  steps.add(0);
  return diagnostics.clockStepped.subscribe(() => steps.add(1));
}

function recordCertificates(meter: Meter): () => void {
  let newest: readonly { readonly setting: string; readonly file: string; readonly expiresAt: number }[] = [];
  meter
    .createObservableGauge('austream.certificate.expiry.timestamp.seconds', {
      description: 'When the certificate of this setting expires, in seconds since 1970',
    })
    .addCallback((result) => {
      for (const { setting, file, expiresAt } of newest) result.observe(expiresAt, { setting, file });
    });
  return diagnostics.certificates.subscribe(({ certificates }) => {
    newest = certificates;
  });
}

function watchQueues(meter: Meter, gauges: () => ProcessGauges): void {
  const queue = meter.createObservableGauge('austream.infer.queue.length', {
    unit: '{crop}',
    description: 'Crops waiting for the model',
  });
  const pending = meter.createObservableGauge('austream.publish.pending', {
    unit: '{event}',
    description: 'Events not yet acknowledged; in ingest workers, records of crops and states',
  });
  const spool = meter.createObservableGauge('austream.publish.spool.size', {
    unit: 'By',
    description: 'Events on disk',
  });
  const connected = meter.createObservableGauge('austream.publish.connected', {
    description: '1 while a broker is reachable',
  });
  meter.addBatchObservableCallback(
    (result) => {
      const { queuedCrops, publisher } = gauges();
      if (queuedCrops !== undefined) result.observe(queue, queuedCrops);
      result.observe(pending, publisher.pending);
      if (publisher.spoolBytes !== undefined) result.observe(spool, publisher.spoolBytes);
      result.observe(connected, brokersAnswer(publisher) ? 1 : 0);
    },
    [queue, pending, spool, connected],
  );
}

/** Named after OpenTelemetry's semantic conventions. */
function recordProcess(meter: Meter): void {
  meter
    .createObservableGauge('process.memory.usage', {
      unit: 'By',
      description: 'Resident memory of the host process',
    })
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter
    .createObservableCounter('process.cpu.time', { unit: 's', description: 'CPU time of the host process' })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe(user / 1e6, { 'cpu.mode': 'user' });
      result.observe(system / 1e6, { 'cpu.mode': 'system' });
    });
}
