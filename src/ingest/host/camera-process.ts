import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { FrameFaces } from '../../domain/face.ts';
import { FACES_FD, type ToChild, type ToHost } from '../protocol/messages.ts';
import { FacesDecoder } from '../protocol/wire.ts';
import { decoderRanks } from './decoders.ts';

/** Time for a child to exit by itself after `stop`; then it gets SIGKILL. */
const STOP_TIMEOUT_MS = 2_000;
/** Environment variables that a camera process inherits; none of them holds a secret. */
const INHERITED_ENV =
  /^(PATH|HOME|TMPDIR|LD_LIBRARY_PATH|XDG_CACHE_HOME|XDG_RUNTIME_DIR|GST_(?!PLUGIN_FEATURE_RANK).*|LIBVA_.*|CUDA_.*|NVIDIA_.*|SSL_CERT_.*|ORT_DISABLE_TELEMETRY)$/;
const STDERR_TAIL_CHARS = 2_000;

interface ChildExit {
  readonly signal: string | null;
  readonly code: number | null;
  /** The last `STDERR_TAIL_CHARS` of its stderr, unredacted. */
  readonly stderrTail: string;
}

interface ChildEvents {
  message(message: ToHost): void;
  /** Frames in order, one at a time; the child gets its credit back when the promise resolves. */
  faces(faces: FrameFaces): void | Promise<void>;
  /** The process has exited, or never started, and every frame that it sent was delivered. */
  gone(exit: ChildExit): void;
}

/** One camera process: spawn, IPC, the pipe of faces, signals. No policy. */
export class CameraProcess {
  readonly #child: ChildProcess;
  #killTimer: NodeJS.Timeout | undefined;

  constructor(start: Extract<ToChild, { type: 'start' }>, entry: string, events: ChildEvents) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => INHERITED_ENV.test(name)));
    this.#child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
      env: {
        ...env,
        // Errors of GStreamer are classified by their English text.
        LC_ALL: 'C',
        GST_DEBUG_NO_COLOR: '1',
        GST_PLUGIN_FEATURE_RANK: decoderRanks(start.camera.decoder),
        // The pipeline occupies two threads of libuv's pool permanently.
        UV_THREADPOOL_SIZE: '6',
      },
    });
    let stderrTail = '';
    const exited = new Promise<[number | null, string | null]>((resolve) => {
      this.#child.once('exit', (code, signal) => resolve([code, signal]));
      // A spawn failure such as EMFILE or EAGAIN: the child has neither process id nor pipes.
      this.#child.once('error', (error) => {
        stderrTail += error.message;
        if (this.#child.pid === undefined) resolve([null, null]);
      });
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderrTail = (stderrTail + text).slice(-STDERR_TAIL_CHARS);
    });
    this.#child.on('message', (message: ToHost) => events.message(message));
    const pipe = this.#child.stdio?.[FACES_FD] as Readable | undefined;
    const drained = pipe && this.#readFaces(pipe, events);
    void Promise.all([exited, drained]).then(([[code, signal]]) => {
      clearTimeout(this.#killTimer);
      events.gone({ code, signal, stderrTail });
    });
    this.#send(start);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Sets the share of frames to analyse, 0…1. */
  throttle(share: number): void {
    this.#send({ type: 'throttle', share });
  }

  /** Asks the child to exit; SIGKILL follows after `STOP_TIMEOUT_MS`. */
  stop(): void {
    this.#send({ type: 'stop' });
    this.#killTimer ??= setTimeout(() => this.kill(), STOP_TIMEOUT_MS);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #send(message: ToChild): void {
    // Messages to a child that is gone are dropped; `gone` reports it.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  async #readFaces(pipe: Readable, events: ChildEvents): Promise<void> {
    const decoder = new FacesDecoder();
    try {
      for await (const chunk of pipe as AsyncIterable<Buffer>) {
        for (const faces of decoder.push(chunk)) {
          await events.faces(faces);
          this.#send({ type: 'acknowledged' });
        }
      }
    } catch {
      // A broken pipe, a malformed message, or a receiver that failed: this child cannot go on.
      this.kill();
    }
  }
}

/** `the camera process was killed by SIGKILL: …`, with the last line of its stderr. Unredacted. */
export function describeExit({ signal, code, stderrTail }: ChildExit): string {
  const ended = code === null ? 'could not be started' : `ended with code ${code}`;
  const outcome = signal ? `was killed by ${signal}` : ended;
  const lastLine = stderrTail.trim().split('\n').at(-1);
  return `the camera process ${outcome}${lastLine ? `: ${lastLine}` : ''}`;
}
