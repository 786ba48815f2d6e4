import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { diagnostics, type Took } from '../diagnostics.ts';
import type { FaceStamp, FrameFaces, FrameStamp, Micros } from '../domain.ts';

/** Sampled frames on their way; beyond them the oldest is ended as it is. */
const MAX_OPEN = 512;

/** One sampled frame between its arrival and the acknowledgement of its last event. */
interface OpenFrame {
  readonly root: Span;
  readonly context: Context;
  /** When the stage before was done with each face. */
  readonly since: Map<number, Micros>;
  /** Faces whose event the broker does not have yet. */
  left: number;
}

/**
 * A trace per sampled frame: `frame` from capture to the broker's acknowledgement, with a child per stage. The camera
 * child's times come with the frame over its pipe, so one process makes the whole trace. Gives back what ends it.
 */
export function recordTraces(tracer: Tracer): () => void {
  const open = new Map<string, OpenFrame>();

  const child = (
    frame: OpenFrame,
    name: string,
    took: Took,
    attributes: Attributes = {},
    kind?: SpanKind,
  ) => {
    tracer
      .startSpan(name, { startTime: took.from / 1_000, attributes, ...(kind && { kind }) }, frame.context)
      .end(Math.max(took.from, took.to) / 1_000);
  };

  const arrived = (faces: FrameFaces, at: Micros) => {
    const from =
      faces.clockSource === 'file' ? faces.receivedAt : Math.min(faces.captureTime, faces.receivedAt);
    const root = tracer.startSpan('frame', {
      root: true,
      startTime: from / 1_000,
      attributes: {
        'austream.camera.id': faces.cameraId,
        'austream.epoch': faces.epoch,
        'austream.frame': faces.frame,
        'austream.faces': faces.crops.length,
        'austream.clock_source': faces.clockSource,
      },
    });
    if (!root.isRecording()) return;
    const frame: OpenFrame = {
      root,
      context: trace.setSpan(ROOT_CONTEXT, root),
      since: new Map(faces.crops.map(({ trackId }) => [trackId, at])),
      left: faces.crops.length,
    };
    child(frame, 'capture', { from, to: faces.receivedAt });
    if (faces.analysed) {
      child(frame, 'detect', faces.analysed);
      child(frame, 'transfer', { from: faces.analysed.to, to: at });
    }
    if (frame.left === 0) return void root.end(at / 1_000);
    open.set(frameKey(faces), frame);
    for (const [key, { root: oldest }] of open) {
      if (open.size <= MAX_OPEN) break;
      oldest.setAttribute('austream.incomplete', true);
      oldest.end();
      open.delete(key);
    }
  };

  /** A stage that takes faces of many frames at once; each sampled one gets the wait for it and the stage itself. */
  const stage = (faces: readonly FaceStamp[], wait: string, name: string, took: Took, batch: Attributes) => {
    for (const face of faces) {
      const frame = open.get(frameKey(face));
      if (!frame) continue;
      const track = { 'austream.track.id': face.trackId };
      child(frame, wait, { from: frame.since.get(face.trackId) ?? took.from, to: took.from }, track);
      child(frame, name, took, { ...track, ...batch });
      frame.since.set(face.trackId, took.to);
    }
  };

  const ends = [
    diagnostics.frame.subscribe(({ faces, at }) => arrived(faces, at)),
    diagnostics.encoded.subscribe(({ faces, from, to }) =>
      stage(faces, 'infer.wait', 'infer.encode', { from, to }, { 'austream.batch.size': faces.length }),
    ),
    diagnostics.scored.subscribe(({ faces, from, to, windows }) =>
      stage(faces, 'infer.hop', 'infer.score', { from, to }, { 'austream.batch.windows': windows }),
    ),
    diagnostics.published.subscribe(({ frames, at }) => {
      for (const frame of frames) open.get(frameKey(frame))?.since.set(frame.trackId, at);
    }),
    diagnostics.acknowledged.subscribe(({ frame, at }) => {
      const known = open.get(frameKey(frame));
      if (!known) return;
      child(
        known,
        'publish',
        { from: known.since.get(frame.trackId) ?? at, to: at },
        {
          'messaging.system': 'kafka',
          'messaging.operation.type': 'send',
          'austream.event.id': frame.eventId,
        },
        SpanKind.PRODUCER,
      );
      known.left -= 1;
      if (known.left > 0) return;
      known.root.end(at / 1_000);
      open.delete(frameKey(frame));
    }),
  ];
  return () => {
    for (const end of ends) end();
    for (const { root } of open.values()) {
      root.setAttribute('austream.incomplete', true);
      root.end();
    }
    open.clear();
  };
}

function frameKey({ cameraId, epoch, frame }: Pick<FrameStamp, 'cameraId' | 'epoch' | 'frame'>): string {
  return `${cameraId}/${epoch}/${frame}`;
}
