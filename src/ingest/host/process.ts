import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { FrameFaces } from '../../domain/face.ts';
import { FACES_FD, type ToChild, type ToHost } from '../protocol/messages.ts';
import { FacesDecoder } from '../protocol/wire.ts';
import { decoderRanks } from './decoders.ts';

/** After `stop` a child has so long to end by itself. */
const STOP_MS = 2_000;
/** What a camera child may see of the host's environment: no secrets live in these. */
const PASSED_ON =
  /^(PATH|HOME|TMPDIR|LD_LIBRARY_PATH|XDG_CACHE_HOME|XDG_RUNTIME_DIR|GST_(?!PLUGIN_FEATURE_RANK).*|LIBVA_.*|CUDA_.*|NVIDIA_.*|SSL_CERT_.*)$/;
const KEPT_COMPLAINTS = 2_000;

export interface ChildExit {
  readonly signal: string | null;
  readonly code: number | null;
  /** The end of its stderr, unredacted. */
  readonly complaints: string;
}

export interface ChildEvents {
  message(message: ToHost): void;
  /** Frames in order; the next one comes when the promise is resolved, and only then the child may send more. */
  faces(faces: FrameFaces): void | Promise<void>;
  /** The process is gone and all that it had sent was handed over. */
  gone(exit: ChildExit): void;
}

/** One forked camera child: its processes' plumbing, no policy. */
export class CameraProcess {
  readonly #child: ChildProcess;
  #killTimer: NodeJS.Timeout | undefined;

  constructor(start: Extract<ToChild, { type: 'start' }>, entry: string, events: ChildEvents) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ON.test(name)));
    this.#child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
      env: {
        ...env,
        // Messages are told apart by their text.
        LC_ALL: 'C',
        GST_DEBUG_NO_COLOR: '1',
        GST_PLUGIN_FEATURE_RANK: decoderRanks(start.camera.decoder),
        // The pipeline parks two of libuv's threads for good.
        UV_THREADPOOL_SIZE: '6',
      },
    });
    let complaints = '';
    const exited = new Promise<[number | null, string | null]>((resolve) => {
      this.#child.once('exit', (code, signal) => resolve([code, signal]));
      // The system has no room for another process, or for its files: then the child has no pipes at all.
      this.#child.once('error', (error) => {
        complaints += error.message;
        if (this.#child.pid === undefined) resolve([null, null]);
      });
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaints = (complaints + text).slice(-KEPT_COMPLAINTS);
    });
    this.#child.on('message', (message: ToHost) => events.message(message));
    const pipe = this.#child.stdio?.[FACES_FD] as Readable | undefined;
    const drained = pipe && this.#handOver(pipe, events);
    void Promise.all([exited, drained]).then(([[code, signal]]) => {
      clearTimeout(this.#killTimer);
      events.gone({ code, signal, complaints });
    });
    this.#send(start);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  pace(share: number): void {
    this.#send({ type: 'throttle', share });
  }

  /** Asks it to end, and makes it. */
  stop(): void {
    this.#send({ type: 'stop' });
    this.#killTimer ??= setTimeout(() => this.kill(), STOP_MS);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #send(message: ToChild): void {
    // A child that is gone is told of by `gone`; what was meant for it does not matter any more.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  async #handOver(pipe: Readable, events: ChildEvents): Promise<void> {
    const decoder = new FacesDecoder();
    try {
      for await (const chunk of pipe as AsyncIterable<Buffer>) {
        for (const faces of decoder.push(chunk)) {
          await events.faces(faces);
          this.#send({ type: 'acknowledged' });
        }
      }
    } catch {
      // A broken pipe or a broken message: either way nothing more can be read from this child.
      this.kill();
    }
  }
}

/** `the camera process was killed by SIGKILL: …`, with the last line that it wrote. Unredacted. */
export function describeExit({ signal, code, complaints }: ChildExit): string {
  const ended = code === null ? 'could not be started' : `ended with code ${code}`;
  const how = signal ? `was killed by ${signal}` : ended;
  const last = complaints.trim().split('\n').at(-1);
  return `the camera process ${how}${last ? `: ${last}` : ''}`;
}
