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
import { diagnostics, type Took } from '../diagnostics.ts';
import type { AuFrame } from '../domain/event.ts';
import type { FaceStamp, FrameFaces } from '../domain/face.ts';
import type { Micros } from '../domain/frame.ts';
import { correlateLogs } from '../log.ts';
import { type FrameIdGenerator, type FrameIds, frameIds, frameKey } from './ids.ts';

/** Sampled frames on their way; beyond them the oldest is ended as it is. */
const MAX_OPEN = 512;
/** A log line about a camera belongs to its newest sampled frame, but to none older than this. */
const CORRELATED_MS = 60_000;

/** One sampled frame between its arrival in this process and the last that this process does for it. */
interface OpenFrame {
  /** Null where another process began the trace. */
  readonly root: Span | null;
  readonly context: Context;
  /** Faces whose event the broker does not have yet, and when the stage before was done with each. */
  readonly since: Map<number, Micros>;
}

/** Starts to listen; gives back what ends it. */
export function recordTraces(tracer: Tracer, ids: FrameIdGenerator): () => void {
  const traces = new FrameTraces(tracer, ids);
  const ends = [
    diagnostics.frame.subscribe(({ faces, at, handedOn }) => traces.arrived(faces, at, handedOn === true)),
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
    for (const end of ends) end();
    traces.end();
  };
}

/**
 * A trace per sampled frame: `frame`, from capture to the broker's acknowledgement (to the hand-over, where another
 * process scores), with a child per stage. The camera child's times come with the frame over its pipe, so the host
 * makes its spans; a worker without cameras adds its own to the trace that follows from the frame's name.
 */
class FrameTraces {
  readonly #tracer: Tracer;
  readonly #ids: FrameIdGenerator;
  readonly #open = new Map<string, OpenFrame>();
  /** Per camera its newest sampled frame, and when it came. */
  readonly #newest = new Map<string, { readonly ids: FrameIds; readonly at: number }>();
  /** Cameras are here: frames that are not open are not sampled, rather than another process's. */
  #hasCameras = false;

  constructor(tracer: Tracer, ids: FrameIdGenerator) {
    this.#tracer = tracer;
    this.#ids = ids;
  }

  arrived(faces: FrameFaces, at: Micros, handedOn: boolean): void {
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
    this.#newest.set(faces.cameraId, { ids: frameIds(key), at: performance.now() });
    const frame: OpenFrame = {
      root,
      context: trace.setSpan(ROOT_CONTEXT, root),
      since: new Map(faces.crops.map(({ trackId }) => [trackId, at])),
    };
    this.#child(frame, 'capture', { from, to: faces.receivedAt });
    if (faces.analysed) {
      this.#child(frame, 'detect', faces.analysed);
      this.#child(frame, 'transfer', { from: faces.analysed.to, to: at });
    }
    if (handedOn || frame.since.size === 0) root.end(at / 1_000);
    else this.#keep(key, frame);
  }

  /** Ids of a camera's newest sampled frame, if it is not long gone. */
  newestOf(cameraId: string): FrameIds | undefined {
    const newest = this.#newest.get(cameraId);
    return newest && performance.now() - newest.at < CORRELATED_MS ? newest.ids : undefined;
  }

  encoded(faces: readonly FaceStamp[], took: Took): void {
    if (!this.#hasCameras) for (const face of faces) this.#adopt(face);
    this.#stage(faces, this.#hasCameras ? 'infer.wait' : 'crops', 'infer.encode', took, {
      'austream.batch.size': faces.length,
    });
  }

  scored(faces: readonly FaceStamp[], took: Took, windows: number): void {
    this.#stage(faces, 'infer.hop', 'infer.score', took, { 'austream.batch.windows': windows });
  }

  published(frames: readonly AuFrame[], at: Micros): void {
    for (const frame of frames) {
      const since = this.#open.get(frameKey(frame))?.since;
      if (since?.has(frame.trackId)) since.set(frame.trackId, at);
    }
  }

  acknowledged(frame: Omit<AuFrame, 'interval'>, at: Micros): void {
    const key = frameKey(frame);
    const known = this.#open.get(key);
    const from = known?.since.get(frame.trackId);
    if (!known || from === undefined) return;
    const attributes = {
      'messaging.system': 'kafka',
      'messaging.operation.type': 'send',
      'austream.event.id': frame.eventId,
    };
    this.#child(known, 'publish', { from, to: at }, attributes, SpanKind.PRODUCER);
    known.since.delete(frame.trackId);
    if (known.since.size > 0) return;
    known.root?.end(at / 1_000);
    this.#open.delete(key);
  }

  end(): void {
    for (const { root } of this.#open.values()) endIncomplete(root);
    this.#open.clear();
  }

  /** Not recording where the sampler says no. */
  #root(key: string, from: Micros, attributes: Attributes): Span {
    return this.#ids.as(frameIds(key), () =>
      this.#tracer.startSpan('frame', { root: true, startTime: from / 1_000, attributes }),
    );
  }

  /** Takes on a frame that another process began to trace, if it did: the same sampler decides by the same id. */
  #adopt(face: FaceStamp): void {
    const key = frameKey(face);
    const known = this.#open.get(key);
    if (known) {
      known.since.set(face.trackId, face.receivedAt);
      return;
    }
    // Only to ask the sampler: a span that is never ended is never sent.
    if (!this.#root(key, face.receivedAt, {}).isRecording()) return;
    const parent = { ...frameIds(key), traceFlags: TraceFlags.SAMPLED, isRemote: true };
    const context = trace.setSpanContext(ROOT_CONTEXT, parent);
    this.#keep(key, { root: null, context, since: new Map([[face.trackId, face.receivedAt]]) });
  }

  #keep(key: string, frame: OpenFrame): void {
    this.#open.set(key, frame);
    for (const [oldest, { root }] of this.#open) {
      if (this.#open.size <= MAX_OPEN) break;
      endIncomplete(root);
      this.#open.delete(oldest);
    }
  }

  /** A stage that takes faces of many frames at once; each sampled one gets the wait for it and the stage itself. */
  #stage(faces: readonly FaceStamp[], wait: string, name: string, took: Took, batch: Attributes): void {
    for (const face of faces) {
      const frame = this.#open.get(frameKey(face));
      if (!frame) continue;
      const track = { 'austream.track.id': face.trackId };
      this.#child(frame, wait, { from: frame.since.get(face.trackId) ?? took.from, to: took.from }, track);
      this.#child(frame, name, took, { ...track, ...batch });
      frame.since.set(face.trackId, took.to);
    }
  }

  #child(frame: OpenFrame, name: string, took: Took, attributes: Attributes = {}, kind?: SpanKind): void {
    const options = { startTime: took.from / 1_000, attributes, ...(kind === undefined ? {} : { kind }) };
    // Clocks of two hosts may disagree; a span never ends before it begins.
    this.#tracer.startSpan(name, options, frame.context).end(Math.max(took.from, took.to) / 1_000);
  }
}

function endIncomplete(root: Span | null): void {
  root?.setAttribute('austream.incomplete', true);
  root?.end();
}
