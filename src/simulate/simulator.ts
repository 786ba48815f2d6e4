import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AustreamError } from '../errors.ts';
import type { OnvifDevice } from './onvif/device.ts';
import { SimulatedDevices } from './onvif/devices.ts';

export const SIMULATED_CODECS = ['h264', 'h265', 'mjpeg'] as const;
export type SimulatedCodec = (typeof SIMULATED_CODECS)[number];

const SIMULATOR_EXITED = 'the simulator has exited';

export interface SimulatorOptions {
  /** Video files or still images; camera n shows source (n − 1) modulo their number. */
  readonly sources: readonly string[];
  /** Number of cameras; one per source by default. */
  readonly cameras?: number;
  readonly host?: string;
  /** 0 (default) selects a free port. */
  readonly port?: number;
  /** With a user, every camera requires user and password. */
  readonly user?: string;
  readonly password?: string;
  /** RTSP authentication; digest by default, as with most cameras. */
  readonly auth?: 'basic' | 'digest';
  /** Default: the source's own if it is H.264, H.265 or MJPEG, else H.264. */
  readonly codec?: SimulatedCodec;
  readonly fps?: number;
  /** Width and height in pixels; another aspect ratio gets borders. */
  readonly size?: readonly [number, number];
  /** Additional streams without usable video, after the cameras: tests how ingest rejects them. */
  readonly unusable?: readonly ('audio' | 'unknown')[];
  /** Makes each camera an ONVIF device too, at consecutive ports from this one on; 0 selects free ports. */
  readonly onvif?: { readonly port: number } | undefined;
}

/** A fault to inject. `path` identifies the camera (`/cam1`); without it the fault affects the whole server. */
export type Fault =
  /** Closes connections and refuses new ones until `start`. */
  | { readonly op: 'stop' | 'start'; readonly path?: string }
  /** The connection stays open, but no frames are sent. */
  | { readonly op: 'freeze'; readonly path: string; readonly on: boolean }
  /** Drops each RTP packet with this probability, 0…1. */
  | { readonly op: 'loss'; readonly path: string; readonly probability: number }
  /** Clock error of the camera's RTCP sender reports (and ONVIF device), in seconds. */
  | { readonly op: 'clock'; readonly path: string; readonly offset: number }
  /** Multiplies the frame interval that the stream declares. */
  | { readonly op: 'slow'; readonly path: string; readonly factor: number }
  /** Changes the resolution within the same stream. */
  | { readonly op: 'resize'; readonly path: string; readonly size: readonly [number, number] };

/** A camera's stream started with its first client: the clip's first frame was sent at this Unix time. */
interface MediaStarted {
  readonly path: string;
  readonly startUnixMicros: number;
}

/** One RTSP path. Streams without video have only a path. */
interface SimulatedStream {
  readonly path: string;
  readonly codec?: SimulatedCodec;
  readonly width?: number;
  readonly height?: number;
  readonly fps?: number;
}

type ServerEvent =
  | { event: 'ready'; port: number; streams: SimulatedStream[] }
  | { event: 'failed'; message: string }
  | ({ event: 'media' } & MediaStarted)
  | { event: 'done'; id: number; error?: string };

/** Simulated cameras: an RTSP server (`server.py`) that plays files in a loop, in real time. */
export class Simulator {
  /** `rtsp://host:port/cam1` …, without credentials. */
  readonly urls: readonly string[];
  /** In the order of `urls`. */
  readonly streams: readonly SimulatedStream[];
  readonly port: number;
  readonly pid: number;
  /** All starts of streams so far, oldest first. */
  readonly started: MediaStarted[] = [];
  /** Resolves when the server process has exited. */
  readonly exited: Promise<void>;
  readonly #server: ChildProcess;
  /** Settles each command that the server has not confirmed, by its id. */
  readonly #pending = new Map<number, (error?: string) => void>();
  #lastCommandId = 0;
  #devices: SimulatedDevices | null = null;

  private constructor(
    server: ChildProcess,
    host: string,
    ready: { port: number; streams: SimulatedStream[] },
  ) {
    this.#server = server;
    this.port = ready.port;
    this.pid = server.pid!;
    this.streams = ready.streams;
    this.urls = ready.streams.map(({ path }) => `rtsp://${host}:${ready.port}${path}`);
    this.exited = new Promise((resolve) => {
      server.once('exit', () => {
        for (const settle of this.#pending.values()) settle(SIMULATOR_EXITED);
        this.#pending.clear();
        resolve();
      });
    });
  }

  /**
   * Loads and, if necessary, encodes the sources, then listens. Throws ARGUMENT_INVALID for sources that cannot be
   * played, PORT_IN_USE, PREREQUISITE_MISSING.
   */
  static async start(options: SimulatorOptions): Promise<Simulator> {
    const simulator = await Simulator.#startServer(options);
    if (!options.onvif) return simulator;
    try {
      simulator.#devices = await SimulatedDevices.start(simulator, {
        ...options,
        host: options.host ?? '127.0.0.1',
        port: options.onvif.port,
      });
      return simulator;
    } catch (error) {
      await simulator.stop();
      throw error;
    }
  }

  static #startServer(options: SimulatorOptions): Promise<Simulator> {
    const host = options.host ?? '127.0.0.1';
    // Debian's own Python has PyGObject; another `python3` on the PATH may not.
    const server = spawn('/usr/bin/python3', [fileURLToPath(new URL('server.py', import.meta.url))], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        // GStreamer keeps its cache of plugins in XDG_CACHE_HOME or HOME.
        HOME: process.env.HOME,
        XDG_CACHE_HOME: process.env.XDG_CACHE_HOME,
        PYTHONDONTWRITEBYTECODE: '1',
        GST_DEBUG_NO_COLOR: '1',
      },
    });
    let stderr = '';
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-2000);
    });
    // The server may exit while a command is being written; the event `exit` handles that.
    server.stdin.on('error', () => {});
    server.stdin.write(`${JSON.stringify(serverSetup(options, host))}\n`);
    return new Promise((resolve, reject) => {
      let simulator: Simulator | undefined;
      createInterface({ input: server.stdout }).on('line', (line) => {
        const event = JSON.parse(line) as ServerEvent;
        if (event.event === 'ready') {
          simulator = new Simulator(server, host, event);
          resolve(simulator);
        } else if (event.event === 'failed') reject(startError(event.message));
        else simulator!.#onEvent(event);
      });
      server.once('error', (cause) => reject(notStartedError(cause.message)));
      server.once('exit', () => reject(notStartedError(stderr.trim().split('\n').at(-1) ?? '')));
    });
  }

  /** One per camera; empty without the option `onvif`. */
  get devices(): readonly OnvifDevice[] {
    return this.#devices?.devices ?? [];
  }

  /** Injects or ends a fault; resolves when it is in effect. Rejects with ARGUMENT_INVALID if that fails. */
  fault(fault: Fault): Promise<void> {
    if (fault.op === 'clock') {
      const device = this.devices[this.streams.findIndex(({ path }) => path === fault.path)];
      if (device) device.clockOffset = fault.offset;
    }
    const id = ++this.#lastCommandId;
    return new Promise((resolve, reject) => {
      if (this.#server.exitCode !== null || this.#server.signalCode !== null)
        return reject(new AustreamError('ARGUMENT_INVALID', SIMULATOR_EXITED));
      this.#pending.set(id, (error) =>
        error === undefined ? resolve() : reject(new AustreamError('ARGUMENT_INVALID', error)),
      );
      this.#server.stdin!.write(`${JSON.stringify({ id, ...fault })}\n`);
    });
  }

  async stop(): Promise<void> {
    await this.#devices?.stop();
    this.#server.stdin!.end();
    const killTimer = setTimeout(() => this.#server.kill('SIGKILL'), 2_000);
    await this.exited;
    clearTimeout(killTimer);
  }

  #onEvent(event: ServerEvent): void {
    if (event.event === 'media')
      this.started.push({ path: event.path, startUnixMicros: event.startUnixMicros });
    if (event.event !== 'done') return;
    this.#pending.get(event.id)?.(event.error);
    this.#pending.delete(event.id);
  }
}

function serverSetup(options: SimulatorOptions, host: string) {
  const { sources, codec, fps, size } = options;
  const cameras = Array.from({ length: options.cameras ?? sources.length }, (_, index) => ({
    source: sources[index % sources.length],
    codec,
    fps,
    size,
  }));
  return {
    host,
    port: options.port ?? 0,
    user: options.user,
    password: options.password ?? '',
    auth: options.auth ?? 'digest',
    cameras: [...cameras, ...(options.unusable ?? []).map((kind) => ({ kind }))],
  };
}

function startError(message: string): AustreamError {
  return /^port \d+/.test(message)
    ? new AustreamError('PORT_IN_USE', message, {
        fix: 'choose another port with --port, or 0 for a free one',
      })
    : new AustreamError('ARGUMENT_INVALID', message);
}

function notStartedError(detail: string): AustreamError {
  return new AustreamError('PREREQUISITE_MISSING', `the camera simulator did not start: ${detail}`, {
    fix: 'run `make setup`: it installs python3-gi and gir1.2-gst-rtsp-server-1.0',
  });
}
