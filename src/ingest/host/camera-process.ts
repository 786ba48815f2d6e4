import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../clock.ts';
import type { FrameFaces } from '../../domain/face.ts';
import { AustreamError } from '../../errors.ts';
import { LineDecoder, sendLine } from '../protocol/channel.ts';
import { FACES_FD, MESSAGES_FD, type ToChild, type ToHost } from '../protocol/messages.ts';
import { parseToHost } from '../protocol/to-host.ts';
import { FacesDecoder } from '../protocol/wire.ts';
import { ImpossibleEventError } from './camera-lifecycle.ts';
import { cameraCommand } from './camera-sandbox.ts';
import { decoderRanks } from './decoders.ts';
import { FrameGuard } from './frame-guard.ts';
import { Intake } from './intake.ts';

/** Time for a child to exit by itself after `stop`; then it gets SIGKILL. */
const STOP_TIMEOUT_MS = 2_000;
/** Environment variables that a camera process inherits; none of them holds a secret. */
const INHERITED_ENV =
  /^(PATH|HOME|TMPDIR|LD_LIBRARY_PATH|XDG_CACHE_HOME|XDG_RUNTIME_DIR|GST_(?!PLUGIN_FEATURE_RANK).*|LIBVA_.*|CUDA_.*|NVIDIA_.*|SSL_CERT_.*|ORT_DISABLE_TELEMETRY)$/;
const STDERR_TAIL_CHARS = 2_000;
/** Messages taken per second, and at once; a report every 500 ms is usual. */
const MESSAGES_PER_SECOND = 20;
const MESSAGE_BURST = 200;
/** Frames of a live camera taken: this many times `analysisFps`. */
const FRAME_RATE_RATIO = 2;
/** Seconds of frames taken at once. */
const FRAME_BURST_SECONDS = 3;
/** Bytes that wait for a child that does not read. */
const MAX_UNREAD_BYTES = 1 << 20;

type Start = Omit<Extract<ToChild, { type: 'start' }>, 'listenerFd'>;

interface ChildExit {
  readonly signal: string | null;
  readonly code: number | null;
  /** The last `STDERR_TAIL_CHARS` of its stderr, unredacted. */
  readonly stderrTail: string;
  /** What the host refused of what the child sent, and so ended it. */
  readonly refused?: string | undefined;
}

interface ChildEvents {
  message(message: ToHost): void;
  /** Frames in order, one at a time; the child gets its credit back when the promise resolves. */
  faces(faces: FrameFaces): void | Promise<void>;
  /** The process has exited, or never started, and every frame that it sent was delivered. */
  gone(exit: ChildExit): void;
}

/**
 * One camera process: spawn, messages, the pipe of faces, signals. What the child sends is validated and taken at a
 * bounded rate; a child that sends anything else is killed.
 */
export class CameraProcess {
  readonly #child: ChildProcess;
  readonly #guard: FrameGuard;
  /** Undefined if the child could not be spawned. */
  readonly #messages: Socket | undefined;
  /** Aborted when the process has exited: what it sent before is taken without waiting. */
  readonly #exited = new AbortController();
  #killTimer: NodeJS.Timeout | undefined;
  #refused: string | undefined;

  /** Throws PREREQUISITE_MISSING if the config requires a sandbox that this system does not have. */
  constructor(start: Start, entry: string, events: ChildEvents) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => INHERITED_ENV.test(name)));
    const { program, args, listenerFd } = cameraCommand(start.ingest.sandbox, start.camera, entry);
    this.#child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
      env: {
        ...env,
        // Errors of GStreamer are classified by their English text.
        LC_ALL: 'C',
        GST_DEBUG_NO_COLOR: '1',
        // Without GIO's modules: libproxy and GNOME's proxy settings may look up `wpad` or send a camera's stream through
        // the desktop's proxy, and dconf writes to the cache folder.
        GIO_MODULE_DIR: '/nonexistent',
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
    const { camera, detect, lastEpoch } = start;
    this.#guard = new FrameGuard(camera, detect.maxFaces, lastEpoch);
    this.#messages = this.#child.stdio?.[MESSAGES_FD] as Socket | undefined;
    // Writing to a child that is gone fails; `gone` reports it.
    this.#messages?.on('error', () => {});
    const pipe = this.#child.stdio?.[FACES_FD] as Readable | undefined;
    const drained = [
      this.#messages && this.#take(this.#readMessages(this.#messages, events)),
      pipe && this.#take(this.#readFaces(pipe, start, events)),
    ];
    void exited.then(() => this.#exited.abort());
    void Promise.all([exited, ...drained]).then(([[code, signal]]) => {
      clearTimeout(this.#killTimer);
      events.gone({ code, signal, stderrTail, refused: this.#refused });
    });
    this.#send({ ...start, listenerFd });
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
    if (!this.#messages?.writable) return;
    sendLine(this.#messages, message);
    if (this.#messages.writableLength > MAX_UNREAD_BYTES) this.kill();
  }

  async #readMessages(messages: Readable, events: ChildEvents): Promise<void> {
    const lines = new LineDecoder();
    const intake = new Intake(MESSAGES_PER_SECOND, MESSAGE_BURST);
    for await (const chunk of messages as AsyncIterable<Buffer>) {
      for (const line of lines.push(chunk)) {
        const message = parseToHost(line);
        if (message.type === 'epoch') this.#guard.checkEpoch(message.epoch, message.clockSource);
        await this.#pause(intake.take(1, monotonicMs()));
        events.message(message);
        if (message.type === 'ended' || message.type === 'failed') this.#confirmLastMessage();
      }
    }
  }

  /** The child exits when its channel ends. */
  #confirmLastMessage(): void {
    this.#messages?.end();
    this.#killTimer ??= setTimeout(() => this.kill(), STOP_TIMEOUT_MS);
  }

  async #readFaces(pipe: Readable, { camera, detect }: Start, events: ChildEvents): Promise<void> {
    const decoder = new FacesDecoder(detect.maxFaces);
    const framesPerSecond = FRAME_RATE_RATIO * camera.analysisFps;
    const intake = new Intake(framesPerSecond, FRAME_BURST_SECONDS * framesPerSecond);
    for await (const chunk of pipe as AsyncIterable<Buffer>) {
      for (const faces of decoder.push(chunk)) {
        this.#guard.check(faces);
        // The end of a track costs the model a window: as many per second as there can be tracks.
        const cost = 1 + (faces.endedTracks.length * camera.analysisFps) / detect.maxFaces;
        // A file's receiver paces it by its promise.
        if (faces.clockSource !== 'file') await this.#pause(intake.take(cost, monotonicMs()));
        await events.faces(faces);
        this.#send({ type: 'acknowledged' });
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0) await delay(ms, undefined, { signal: this.#exited.signal }).catch(() => {});
  }

  /** Awaits a reader. A broken pipe, refused data, or a receiver that failed: this child cannot go on. */
  async #take(reading: Promise<void>): Promise<void> {
    try {
      await reading;
    } catch (error) {
      const isRefusal = error instanceof AustreamError && error.code === 'CAMERA_PROCESS_DIED';
      if (isRefusal || error instanceof ImpossibleEventError) this.#refused ??= error.message;
      this.kill();
    }
  }
}

/** `the camera process was killed by SIGKILL: …`, with the last line of its stderr. Unredacted. */
export function describeExit({ signal, code, stderrTail, refused }: ChildExit): string {
  if (refused !== undefined) return `${refused}; it was ended`;
  const ended = code === null ? 'could not be started' : `ended with code ${code}`;
  const outcome = signal ? `was killed by ${signal}` : ended;
  const lastLine = stderrTail.trim().split('\n').at(-1);
  return `the camera process ${outcome}${lastLine ? `: ${lastLine}` : ''}`;
}
