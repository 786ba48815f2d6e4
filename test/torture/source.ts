// A process that publishes frames and activations of some cameras at a steady rate until it is told to stop.
// Receives: {run: boolean} starts and stops the events; {clockStep: ms} steps Date; {stop: ms} flushes that long and closes.
// Sends {report: SourceReport} every 100 ms; at the end {stopped: true, failure}.
import type { AuActivation } from '../../src/domain/event.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { frameNumber } from '../records/samples.ts';

export interface SourceReport {
  /** Frames of each track that were handed to the publisher: 0 … n-1. */
  readonly published: number;
  /** Track index and frame of each frame acknowledged since the last report, flat. */
  readonly acknowledged: readonly number[];
  /** Events that the publisher says are lost, since the last report: camera, count, cause. */
  readonly dropped: readonly (readonly [string, number, string])[];
  readonly stats: object;
  readonly messages: readonly string[];
  readonly rssMegabytes: number;
}

const { kafka, cameras, tracks, fps, from } = JSON.parse(process.argv[2]!) as {
  kafka: object;
  cameras: number;
  tracks: number;
  fps: number;
  from: number;
};
const realNow = Date.now;
let clockOffset = 0;
Date.now = () => realNow() + clockOffset;

let published = from;
let acknowledged: number[] = [];
let dropped: [string, number, string][] = [];
let messages: string[] = [];
const publisher = await openPublisher(kafkaOptions.parse(kafka), {
  acknowledged: ({ cameraId, trackId, frame }) =>
    acknowledged.push(Number(cameraId.slice(1)) * tracks + trackId - 1, frame),
  dropped: (cameraId, count, cause) => dropped.push([cameraId, count, cause]),
  connection: (state, detail) => messages.push(`${state}: ${detail}`),
  delivery: (topic, state, cause, detail) => messages.push(`${topic} ${state} ${cause}: ${detail}`),
});

function report(): SourceReport {
  const taken = { acknowledged, dropped, messages };
  acknowledged = [];
  dropped = [];
  messages = [];
  const rssMegabytes = process.memoryUsage().rss / 2 ** 20;
  return { published, ...taken, stats: publisher.stats(), rssMegabytes };
}

function publishOne(): void {
  for (let camera = 0; camera < cameras; camera += 1) {
    const faces = Array.from({ length: tracks }, (_, index) => ({
      cameraId: `c${camera}`,
      trackId: index + 1,
    }));
    publisher.frames(faces.map((face) => frameNumber(published, face)));
    if (published % 10 === 0) publisher.activations(faces.map(activation));
  }
  published += 1;
}

/** One activation per ten frames: its id carries the number of the frame. */
function activation(face: { cameraId: string; trackId: number }): AuActivation {
  const { epoch, clockSource, captureTime, inferredAt, model } = frameNumber(published, face);
  const activationId = `${face.cameraId}/${epoch}/${face.trackId}/au12/${published}`;
  return {
    ...{
      eventId: `${activationId}/ONSET`,
      activationId,
      phase: 'ONSET',
      ...face,
      epoch,
      au: 'au12',
      zones: [],
    },
    ...{ clockSource, onset: captureTime, apex: captureTime, peak: 0.5, mean: 0.5, frames: 3, offset: null },
    ...{ duration: 120_000, end: null, reliability: null, inferredAt, model },
  };
}

let running = false;
let due = performance.now();
const generator = setInterval(() => {
  const now = performance.now();
  if (!running) due = now;
  for (; due < now; due += 1000 / fps) publishOne();
}, 10);
const reports = setInterval(() => process.send!({ report: report() }), 100);

process.on('message', async (message: { run?: boolean; clockStep?: number; stop?: number }) => {
  if (message.run !== undefined) running = message.run;
  if (message.clockStep !== undefined) clockOffset += message.clockStep;
  if (message.stop === undefined) return;
  running = false;
  clearInterval(generator);
  clearInterval(reports);
  const failure = await publisher.flush(message.stop).then(
    () => null,
    (error: Error) => error.message,
  );
  await publisher.close();
  process.send!({ report: report() });
  process.send!({ stopped: true, failure });
  process.disconnect?.();
});
