import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AustreamError } from '../errors.ts';
import type { OnvifDevice } from './onvif/device.ts';
import { SimulatedDevices } from './onvif/devices.ts';

export const SIMULATED_CODECS = ['h264', 'h265', 'mjpeg'] as const;
export type SimulatedCodec = (typeof SIMULATED_CODECS)[number];

export interface SimulatorOptions {
  /** Video files or still images; camera n shows source (n − 1) modulo their number. */
  readonly sources: readonly string[];
  /** Default: one per source. */
  readonly cameras?: number;
  readonly host?: string;
  /** 0 (default) takes a free port. */
  readonly port?: number;
  /** With a user, every camera asks for user and password. */
  readonly user?: string;
  readonly password?: string;
  /** How it asks for them; digest by default, as most cameras do. */
  readonly auth?: 'basic' | 'digest';
  /** Default: the source's own where it is H.264, H.265 or MJPEG, else H.264. */
  readonly codec?: SimulatedCodec;
  readonly fps?: number;
  /** Width and height in pixels; a picture of another shape gets borders. */
  readonly size?: readonly [number, number];
  /** Streams without usable video, to try how an ingest refuses them; they come after the cameras. */
  readonly unusable?: readonly ('audio' | 'unknown')[];
  /** Each camera is an ONVIF device, too: the first at this port, the others at those after it; 0 takes free ones. */
  readonly onvif?: { readonly port: number } | undefined;
}

/** What can be made to go wrong. Cameras are named by their path, `/cam1`; without one, all of the server. */
export type Fault =
  /** Ends connections and refuses new ones until `start`. */
  | { readonly op: 'stop' | 'start'; readonly path?: string }
  /** The connection stays, no more frames come. */
  | { readonly op: 'freeze'; readonly path: string; readonly on: boolean }
  /** Drops each RTP packet with this probability, 0…1. */
  | { readonly op: 'loss'; readonly path: string; readonly probability: number }
  /** The camera's clock, as its RTCP sender reports show it, is wrong by so many seconds. */
  | { readonly op: 'clock'; readonly path: string; readonly offset: number }
  /** Frames come so many times further apart than the stream declares. */
  | { readonly op: 'slow'; readonly path: string; readonly factor: number }
  /** Goes on in another resolution within the same stream. */
  | { readonly op: 'resize'; readonly path: string; readonly size: readonly [number, number] };

/** The first client of a camera came: its clip's first frame was sent at this Unix time. */
export interface MediaStarted {
  readonly path: string;
  readonly startUnixMicros: number;
}

/** One RTSP path. Streams without video have a path alone. */
export interface SimulatedStream {
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

/** Cameras that are not there: an RTSP server that plays files in a loop, in real time. */
export class Simulator {
  /** `rtsp://host:port/cam1` …, without credentials. */
  readonly urls: readonly string[];
  /** In the order of `urls`. */
  readonly streams: readonly SimulatedStream[];
  readonly port: number;
  readonly pid: number;
  /** Every start of a camera's stream so far, oldest first. */
  readonly started: MediaStarted[] = [];
  /** Resolves when the server process is gone. */
  readonly exited: Promise<void>;
  readonly #server: ChildProcess;
  readonly #waiting = new Map<number, (error?: string) => void>();
  #lastId = 0;
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
        for (const settle of this.#waiting.values()) settle('the simulator has ended');
        this.#waiting.clear();
        resolve();
      });
    });
  }

  /** Encodes what must be encoded, then listens. Throws ARGUMENT_INVALID for sources, PORT_IN_USE, PREREQUISITE_MISSING. */
  static async start(options: SimulatorOptions): Promise<Simulator> {
    const simulator = await Simulator.#serve(options);
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

  static #serve(options: SimulatorOptions): Promise<Simulator> {
    const host = options.host ?? '127.0.0.1';
    // Debian's own Python: PyGObject lives there, whatever `python3` comes first on the PATH.
    const server = spawn('/usr/bin/python3', [fileURLToPath(new URL('server.py', import.meta.url))], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1', GST_DEBUG_NO_COLOR: '1' },
    });
    let complaints = '';
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaints = (complaints + text).slice(-2000);
    });
    // The server may die while a command is on its way; `exit` tells of that.
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
        else simulator!.#take(event);
      });
      server.once('error', (cause) => reject(missing(cause.message)));
      server.once('exit', () => reject(missing(complaints.trim().split('\n').at(-1) ?? '')));
    });
  }

  /** One per camera; none unless asked for. */
  get devices(): readonly OnvifDevice[] {
    return this.#devices?.devices ?? [];
  }

  /** Injects or ends a fault; resolves when it is in force. */
  fault(fault: Fault): Promise<void> {
    if (fault.op === 'clock') {
      const device = this.devices[this.streams.findIndex(({ path }) => path === fault.path)];
      if (device) device.clockOffset = fault.offset;
    }
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (error) =>
        error === undefined ? resolve() : reject(new AustreamError('ARGUMENT_INVALID', error)),
      );
      this.#server.stdin!.write(`${JSON.stringify({ id, ...fault })}\n`);
    });
  }

  async stop(): Promise<void> {
    await this.#devices?.stop();
    this.#server.stdin!.end();
    const hurry = setTimeout(() => this.#server.kill('SIGKILL'), 2_000);
    await this.exited;
    clearTimeout(hurry);
  }

  #take(event: ServerEvent): void {
    if (event.event === 'media')
      this.started.push({ path: event.path, startUnixMicros: event.startUnixMicros });
    if (event.event !== 'done') return;
    this.#waiting.get(event.id)?.(event.error);
    this.#waiting.delete(event.id);
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
    ? new AustreamError('PORT_IN_USE', message, { fix: 'choose another with --port, or 0 for a free one' })
    : new AustreamError('ARGUMENT_INVALID', message);
}

function missing(detail: string): AustreamError {
  return new AustreamError('PREREQUISITE_MISSING', `the camera simulator does not start: ${detail}`, {
    fix: 'run `make setup`: it installs python3-gi and gir1.2-gst-rtsp-server-1.0',
  });
}
