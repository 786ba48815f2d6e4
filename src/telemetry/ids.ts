import { hash, randomBytes } from 'node:crypto';
import type { FrameStamp } from '../domain/frame.ts';

/** Ids of a frame's trace and of its root span. */
export interface FrameIds {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
}

/** What a frame's ids are made of, and what tells frames apart. */
export function frameKey({
  cameraId,
  epoch,
  frame,
}: Pick<FrameStamp, 'cameraId' | 'epoch' | 'frame'>): string {
  return `${cameraId}/${epoch}/${frame}`;
}

/**
 * A frame's ids follow from its name. So the process that scores its crops adds to the trace that the process of its
 * camera began, and comes to the same decision about sampling, without a word between them.
 */
export function frameIds(key: string): FrameIds {
  const digest = hash('sha256', key);
  return { traceId: digest.slice(0, 32), spanId: digest.slice(32, 48) };
}

/** OpenTelemetry's source of ids: random, but for the span that is made with a frame's. */
export class FrameIdGenerator {
  #next: FrameIds | null = null;

  /** Runs `make`, whose first span gets these ids. */
  as<T>(ids: FrameIds, make: () => T): T {
    this.#next = ids;
    try {
      return make();
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
