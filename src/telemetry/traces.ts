import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { monotonicMs } from '../clock.ts';
import { diagnostics, type TimeSpan } from '../diagnostics.ts';
import type { AuFrame, FrameHead } from '../domain/event.ts';
import type { FaceStamp, FrameFaces } from '../domain/face.ts';
import type { Micros } from '../domain/frame.ts';
import { correlateLogs } from '../log.ts';
import { type FrameIdGenerator, type FrameIds, frameIds, frameKey } from './ids.ts';

/** Sampled frames in flight; beyond this the oldest is ended as incomplete. */
const MAX_OPEN_FRAMES = 512;
/** A log line about a camera refers to its newest sampled frame, unless that is older than this. */
const CORRELATION_MAX_AGE_MS = 60_000;

/** A sampled frame that this process is still working on. */
interface OpenFrame {
  /** Null if another process began the trace. */
  readonly root: Span | null;
  readonly context: Context;
  /** By track id, for faces whose event is not acknowledged yet: when the previous stage ended. */
  readonly stageEnds: Map<number, Micros>;
}

/** Turns the stages' diagnostics into spans. Returns the function that stops it. */
export function recordTraces(tracer: Tracer, ids: FrameIdGenerator): () => void {
  const traces = new FrameTraces(tracer, ids);
  const unsubscribes = [
    diagnostics.frame.subscribe(({ faces, at, scoredElsewhere }) =>
      traces.arrived(faces, at, scoredElsewhere === true),
    ),
    diagnostics.encoded.subscribe(({ faces, from, to }) => traces.encoded(faces, { from, to })),
    diagnostics.scored.subscribe(({ faces, from, to, windows }) =>
      traces.scored(faces, { from, to }, windows),
    ),
    diagnostics.published.subscribe(({ frames, at }) => traces.published(frames, at)),
    diagnostics.acknowledged.subscribe(({ frame, at }) => traces.acknowledged(frame, at)),
  ];
  correlateLogs(({ cameraId }) => {
    const ids = typeof cameraId === 'string' ? traces.newestOf(cameraId) : undefined;
    return ids && { trace_id: ids.traceId, span_id: ids.spanId, trace_flags: '01' };
  });
  return () => {
    correlateLogs(null);
    for (const unsubscribe of unsubscribes) unsubscribe();
    traces.end();
  };
}

/**
 * One trace per sampled frame: the root span `frame` lasts from capture to the broker's acknowledgement (in an ingest
 * worker, until the frame is handed on) and has a child span per stage. The camera process sends its times with the frame,
 * and the host creates the spans. An inference worker has no cameras and continues the trace by the frame's ids.
 */
class FrameTraces {
  readonly #tracer: Tracer;
  readonly #ids: FrameIdGenerator;
  readonly #open = new Map<string, OpenFrame>();
  /** By camera: the ids of its newest sampled frame, and when it arrived. */
  readonly #newest = new Map<string, { readonly ids: FrameIds; readonly at: number }>();
  /** True if this process has cameras: then a frame that is not open was not sampled. */
  #hasCameras = false;

  constructor(tracer: Tracer, ids: FrameIdGenerator) {
    this.#tracer = tracer;
    this.#ids = ids;
  }

  arrived(faces: FrameFaces, at: Micros, scoredElsewhere: boolean): void {
    this.#hasCameras = true;
    const from =
      faces.clockSource === 'file' ? faces.receivedAt : Math.min(faces.captureTime, faces.receivedAt);
    const key = frameKey(faces);
    const root = this.#root(key, from, {
      'austream.camera.id': faces.cameraId,
      'austream.epoch': faces.epoch,
      'austream.frame': faces.frame,
      'austream.faces': faces.crops.length,
      'austream.clock_source': faces.clockSource,
    });
    if (!root.isRecording()) return;
    this.#newest.set(faces.cameraId, { ids: frameIds(key), at: monotonicMs() });
    const frame: OpenFrame = {
      root,
      context: trace.setSpan(ROOT_CONTEXT, root),
      stageEnds: new Map(faces.crops.map(({ trackId }) => [trackId, at])),
    };
    this.#child(frame, 'capture', { from, to: faces.receivedAt });
    if (faces.analysed) {
      this.#child(frame, 'detect', faces.analysed);
      this.#child(frame, 'transfer', { from: faces.analysed.to, to: at });
    }
    if (scoredElsewhere || frame.stageEnds.size === 0) root.end(at / 1_000);
    else this.#keep(key, frame);
  }

  /** The ids of a camera's newest sampled frame, unless it is too old. */
  newestOf(cameraId: string): FrameIds | undefined {
    const newest = this.#newest.get(cameraId);
    return newest && monotonicMs() - newest.at < CORRELATION_MAX_AGE_MS ? newest.ids : undefined;
  }

  encoded(faces: readonly FaceStamp[], span: TimeSpan): void {
    if (!this.#hasCameras) for (const face of faces) this.#continueTrace(face);
    this.#stage(faces, this.#hasCameras ? 'infer.wait' : 'crops', 'infer.encode', span, {
      'austream.batch.size': faces.length,
    });
  }

  scored(faces: readonly FaceStamp[], span: TimeSpan, windows: number): void {
    this.#stage(faces, 'infer.hop', 'infer.score', span, { 'austream.batch.windows': windows });
  }

  published(frames: readonly AuFrame[], at: Micros): void {
    for (const frame of frames) {
      const stageEnds = this.#open.get(frameKey(frame))?.stageEnds;
      if (stageEnds?.has(frame.trackId)) stageEnds.set(frame.trackId, at);
    }
  }

  acknowledged(frame: FrameHead, at: Micros): void {
    const key = frameKey(frame);
    const known = this.#open.get(key);
    const from = known?.stageEnds.get(frame.trackId);
    if (!known || from === undefined) return;
    const attributes = {
      'messaging.system': 'kafka',
      'messaging.operation.type': 'send',
      'austream.event.id': frame.eventId,
    };
    this.#child(known, 'publish', { from, to: at }, attributes, SpanKind.PRODUCER);
    known.stageEnds.delete(frame.trackId);
    if (known.stageEnds.size > 0) return;
    known.root?.end(at / 1_000);
    this.#open.delete(key);
  }

  end(): void {
    for (const { root } of this.#open.values()) endIncomplete(root);
    this.#open.clear();
  }

  /** Starts the root span; it does not record if the sampler rejects the frame. */
  #root(key: string, from: Micros, attributes: Attributes): Span {
    return this.#ids.withIds(frameIds(key), () =>
      this.#tracer.startSpan('frame', { root: true, startTime: from / 1_000, attributes }),
    );
  }

  /** Continues the trace that another process began. The same sampler makes the same decision for the same id. */
  #continueTrace(face: FaceStamp): void {
    const key = frameKey(face);
    const known = this.#open.get(key);
    if (known) {
      known.stageEnds.set(face.trackId, face.receivedAt);
      return;
    }
    // Started only for the sampler's decision; it is never ended, so it is never exported.
    if (!this.#root(key, face.receivedAt, {}).isRecording()) return;
    const parent = { ...frameIds(key), traceFlags: TraceFlags.SAMPLED, isRemote: true };
    const context = trace.setSpanContext(ROOT_CONTEXT, parent);
    this.#keep(key, { root: null, context, stageEnds: new Map([[face.trackId, face.receivedAt]]) });
  }

  #keep(key: string, frame: OpenFrame): void {
    this.#open.set(key, frame);
    for (const [oldest, { root }] of this.#open) {
      if (this.#open.size <= MAX_OPEN_FRAMES) break;
      endIncomplete(root);
      this.#open.delete(oldest);
    }
  }

  /** Adds the spans of a batched stage (waiting for it, and the stage itself) to every sampled frame of the batch. */
  #stage(faces: readonly FaceStamp[], wait: string, name: string, span: TimeSpan, batch: Attributes): void {
    for (const face of faces) {
      const frame = this.#open.get(frameKey(face));
      if (!frame) continue;
      const track = { 'austream.track.id': face.trackId };
      this.#child(
        frame,
        wait,
        { from: frame.stageEnds.get(face.trackId) ?? span.from, to: span.from },
        track,
      );
      this.#child(frame, name, span, { ...track, ...batch });
      frame.stageEnds.set(face.trackId, span.to);
    }
  }

  #child(frame: OpenFrame, name: string, span: TimeSpan, attributes: Attributes = {}, kind?: SpanKind): void {
    const options = { startTime: span.from / 1_000, attributes, ...(kind === undefined ? {} : { kind }) };
    // The clocks of two hosts may disagree; a span must not end before it starts.
    this.#tracer.startSpan(name, options, frame.context).end(Math.max(span.from, span.to) / 1_000);
  }
}

function endIncomplete(root: Span | null): void {
  root?.setAttribute('austream.incomplete', true);
  root?.end();
}
