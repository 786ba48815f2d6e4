import { once } from 'node:events';
import { lstatSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { AustreamError } from '../errors.ts';
import type { CameraControl } from '../ingest/host/camera-set.ts';
import { describeIssues } from '../issues.ts';
import { log } from '../log.ts';
import { sendControlRequest } from './client.ts';
import { createSocketFolder } from './options.ts';
import { type ControlResults, controlRequest, MAX_REQUEST_LENGTH } from './protocol.ts';

/** Each holds at most one request. */
const MAX_CONNECTIONS = 64;

interface SocketTimeouts {
  /** A connection without a request in progress is closed after this time without data. */
  readonly idleMs: number;
  /** Interval of the keep-alives while a request is in progress. */
  readonly keepAliveMs: number;
}
const SOCKET_TIMEOUTS: SocketTimeouts = { idleMs: 10_000, keepAliveMs: 2_500 };

interface ControlServices {
  /** A link that opens the live page; null: there is no live page. */
  readonly issueLink: (() => string) | null;
}

/** Control socket: the user who runs the process adds, removes and lists its cameras; other users cannot connect. */
export class ControlServer {
  readonly #server: Server;
  readonly #cameras: CameraControl;
  readonly #services: ControlServices;
  readonly #timeouts: SocketTimeouts;
  /** Connections without a request in progress. */
  readonly #idle = new Set<Socket>();

  private constructor(cameras: CameraControl, services: ControlServices, timeouts: SocketTimeouts) {
    this.#cameras = cameras;
    this.#services = services;
    this.#timeouts = timeouts;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Throws PORT_IN_USE if another process listens there, PREREQUISITE_MISSING if the socket cannot be created. */
  static async open(
    path: string,
    cameras: CameraControl,
    services: ControlServices = { issueLink: null },
    timeouts = SOCKET_TIMEOUTS,
  ): Promise<ControlServer> {
    const control = new ControlServer(cameras, services, timeouts);
    try {
      createSocketFolder(path);
      await removeStaleSocket(path);
      await control.#listen(path);
    } catch (cause) {
      if (cause instanceof AustreamError) throw cause;
      throw new AustreamError(
        'PREREQUISITE_MISSING',
        `the control socket ${path} cannot be created: ${(cause as NodeJS.ErrnoException).code}`,
        { fix: 'set control.socket to a path that can be written, or to null', cause },
      );
    }
    return control;
  }

  /** Resolves when the requests in progress are answered; idle connections are closed. */
  async close(): Promise<void> {
    // Node removes the socket's file.
    this.#server.close();
    for (const socket of this.#idle) socket.destroy();
    await once(this.#server, 'close');
  }

  async #listen(path: string): Promise<void> {
    // `listen` creates the file synchronously, so it never has wider permissions.
    const previousMask = process.umask(0o177);
    try {
      this.#server.listen(path);
    } finally {
      process.umask(previousMask);
    }
    await once(this.#server, 'listening');
    this.#server.unref();
  }

  #serve(socket: Socket): void {
    let text = '';
    this.#idle.add(socket);
    socket.setEncoding('utf8').setTimeout(this.#timeouts.idleMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#idle.delete(socket));
    const receive = (chunk: string) => {
      text += chunk;
      if (text.length > MAX_REQUEST_LENGTH) socket.destroy();
      if (socket.destroyed || !text.endsWith('\n')) return;
      // Data after the request is discarded.
      socket.off('data', receive).resume();
      void this.#processRequest(socket, text);
    };
    socket.on('data', receive);
  }

  /** A change may take long: a camera stops only after its last epoch was processed. */
  async #processRequest(socket: Socket, text: string): Promise<void> {
    this.#idle.delete(socket);
    socket.setTimeout(0);
    // JSON allows spaces before the response.
    const keepAlive = setInterval(() => socket.write(' '), this.#timeouts.keepAliveMs);
    const response = await this.#respond(text);
    clearInterval(keepAlive);
    if (socket.destroyed) return;
    socket.setTimeout(this.#timeouts.idleMs);
    this.#idle.add(socket);
    socket.end(`${response}\n`, () => socket.destroy());
  }

  async #respond(text: string): Promise<string> {
    try {
      return JSON.stringify({ ok: true, ...(await this.#execute(text)) });
    } catch (error) {
      const { code, message, fix } =
        error instanceof AustreamError
          ? error
          : new AustreamError('ARGUMENT_INVALID', (error as Error).message);
      return JSON.stringify({ ok: false, code, message, ...(fix ? { fix } : {}) });
    }
  }

  async #execute(text: string): Promise<ControlResults[keyof ControlResults]> {
    const request = controlRequest.safeParse(parseJson(text));
    if (!request.success) throw new AustreamError('ARGUMENT_INVALID', describeIssues(request.error));
    switch (request.data.op) {
      case 'list':
        return { cameras: this.#cameras.list() };
      case 'link':
        if (this.#services.issueLink) return { link: this.#services.issueLink() };
        throw new AustreamError('ARGUMENT_INVALID', 'this austream serves no live page', {
          fix: 'start it with austream run --dashboard',
        });
      case 'add': {
        const changes = await Promise.all(
          request.data.cameras.map(
            async (camera) => [camera.id, await this.#cameras.add(camera, 'socket')] as const,
          ),
        );
        log.info({ cameras: Object.fromEntries(changes) }, 'cameras changed through the control socket');
        return { changes: Object.fromEntries(changes) };
      }
      case 'remove':
        this.#requireKnown(request.data.ids);
        await Promise.all(request.data.ids.map((id) => this.#cameras.remove(id)));
        log.info({ cameras: request.data.ids }, 'cameras removed through the control socket');
        return { removed: request.data.ids };
      case 'pause':
      case 'resume': {
        const { op, ids } = request.data;
        this.#requireKnown(ids);
        const changes = Object.fromEntries(
          await Promise.all(
            ids.map(async (id) => {
              const change =
                op === 'pause'
                  ? await this.#cameras.pause(id, 'the control socket')
                  : await this.#cameras.resume(id);
              // Null: it was removed meanwhile.
              return [id, change ?? 'unchanged'] as const;
            }),
          ),
        );
        log.info({ cameras: changes }, `cameras ${op}d through the control socket`);
        return { changes };
      }
    }
  }

  /** Throws ARGUMENT_INVALID if one is unknown. */
  #requireKnown(ids: readonly string[]): void {
    const known = new Set(this.#cameras.list().map(({ id }) => id));
    const unknown = ids.find((id) => !known.has(id));
    if (unknown !== undefined)
      throw new AustreamError('ARGUMENT_INVALID', `there is no camera ${unknown}`, {
        fix: 'austream cameras list shows the ids',
      });
  }
}

/** Throws ARGUMENT_INVALID without the text, which may be a password. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AustreamError('ARGUMENT_INVALID', 'the request is not JSON');
  }
}

/** Removes a stale socket, whose process is gone. Throws PORT_IN_USE if a process answers. */
async function removeStaleSocket(path: string): Promise<void> {
  try {
    await sendControlRequest(path, { op: 'list' });
  } catch (error) {
    if (!(error instanceof AustreamError) || error.code !== 'CONTROL_UNREACHABLE') throw error;
    const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED' && lstatSync(path).isSocket()) rmSync(path);
    return;
  }
  throw new AustreamError('PORT_IN_USE', `another austream listens at the control socket ${path}`, {
    fix: 'set another control.socket for one of them',
  });
}
