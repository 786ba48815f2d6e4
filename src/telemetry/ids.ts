import { hash, randomBytes } from 'node:crypto';
import type { FrameStamp } from '../domain/frame.ts';

/** The ids of a frame's trace and of its root span. */
export interface FrameIds {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
}

/** Identifies a frame; its trace ids are derived from it. */
export function frameKey({
  cameraId,
  epoch,
  frame,
}: Pick<FrameStamp, 'cameraId' | 'epoch' | 'frame'>): string {
  return `${cameraId}/${epoch}/${frame}`;
}

/**
 * Derives a frame's ids from its key. The process that scores its crops thus continues the trace that the camera's
 * host began, with the same sampling decision, without any context on the wire.
 */
export function frameIds(key: string): FrameIds {
  const digest = hash('sha256', key);
  return { traceId: digest.slice(0, 32), spanId: digest.slice(32, 48) };
}

/** OpenTelemetry's id generator: random ids, except for a frame's root span. */
export class FrameIdGenerator {
  #next: FrameIds | null = null;

  /** Calls `createSpan`; the span that it starts gets these ids. */
  withIds<T>(ids: FrameIds, createSpan: () => T): T {
    this.#next = ids;
    try {
      return createSpan();
    } finally {
      this.#next = null;
    }
  }

  generateTraceId(): string {
    return this.#next?.traceId ?? randomBytes(16).toString('hex');
  }

  generateSpanId(): string {
    return this.#next?.spanId ?? randomBytes(8).toString('hex');
  }
}
