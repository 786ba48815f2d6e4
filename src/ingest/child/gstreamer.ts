import { createRequire } from 'node:module';
import { wallMicros } from '../../clock.ts';

/** The part of gstreamer-superficial's untyped interface that is used. */
interface NativePipeline {
  play(): void;
  pause(): void;
  stop(): void;
  pollBus(callback: (message: BusMessage) => void): void;
  findChild(name: string): NativeElement | undefined;
  'auto-flush-bus': boolean;
}
type NativeElement = Record<string, unknown> & {
  pull?(callback: (bytes: Buffer | null, caps: { streamheader?: unknown }) => void): void;
};

/** A message of GStreamer's bus with its fields; errors also have a text. May contain credentials. */
export interface BusMessage {
  readonly type: string;
  readonly name?: string;
  readonly message?: string;
  readonly debug?: string;
  readonly details?: string;
  readonly [field: string]: unknown;
}

/** One buffer of the appsink named `sink`. */
export interface Pulled {
  readonly bytes: Buffer;
  /** The `streamheader` buffers of its caps; empty if there are none. */
  readonly streamheader: readonly Buffer[];
}

/**
 * A GStreamer pipeline that ends in `appsink name=sink`. `launch` must not contain values from outside: those are set
 * as properties, by element name, before the pipeline starts. Only one per process: each blocks two of libuv's threads.
 */
export class Pipeline {
  readonly #native: NativePipeline;
  readonly #sink: NativeElement;
  /** `findChild` makes a new wrapper in each call and never releases it: call it once per element. */
  readonly #elements = new Map<string, NativeElement>();
  #stopped = false;

  constructor(launch: string, properties: Record<string, Record<string, string | boolean>>) {
    const { Pipeline: Native } = createRequire(import.meta.url)('gstreamer-superficial') as {
      Pipeline: new (launch: string) => NativePipeline;
    };
    this.#native = new Native(launch);
    // Otherwise `stop` discards the last messages, and the thread that waits for one never ends.
    this.#native['auto-flush-bus'] = false;
    for (const [name, values] of Object.entries(properties)) Object.assign(this.#find(name)!, values);
    this.#sink = this.#find('sink')!;
  }

  onMessage(listener: (message: BusMessage) => void): void {
    this.#native.pollBus((message) => {
      if (!this.#stopped) listener(message);
    });
  }

  /**
   * Starts the pipeline. Returns Unix microseconds at running time 0, accurate to the few milliseconds that the last
   * state change takes.
   */
  play(): number {
    this.#native.pause();
    const before = wallMicros();
    this.#native.play();
    return Math.round((before + wallMicros()) / 2);
  }

  /** The next buffer; null at the end of the stream, after an error, and after `stop`. */
  pull(): Promise<Pulled | null> {
    return new Promise((resolve) => {
      this.#sink.pull!((bytes, { streamheader }) =>
        resolve(
          bytes === null || this.#stopped
            ? null
            : { bytes, streamheader: Array.isArray(streamheader) ? (streamheader as Buffer[]) : [] },
        ),
      );
    });
  }

  /** A property of a running element, structures as text; undefined if there is no such element. */
  property(element: string, name: string): unknown {
    return this.#find(element)?.[name];
  }

  /** Sets a property of a running element; false if there is no such element. */
  set(element: string, name: string, value: string | boolean): boolean {
    const found = this.#find(element);
    if (found) found[name] = value;
    return found !== undefined;
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#native.stop();
  }

  #find(name: string): NativeElement | undefined {
    const element = this.#elements.get(name) ?? this.#native.findChild(name);
    if (element) this.#elements.set(name, element);
    return element;
  }
}
