import { once } from 'node:events';
import { lstatSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { AustreamError } from '../errors.ts';
import type { CameraControl } from '../ingest/host/cameras.ts';
import { describeIssues } from '../issues.ts';
import { log } from '../log.ts';
import { askControl } from './client.ts';
import { prepareFolder } from './options.ts';
import { type ControlAnswers, controlRequest, LONGEST_REQUEST } from './protocol.ts';

interface SocketTimeouts {
  /** A connection that says nothing is ended after so long, unless a request of it is in work. */
  readonly idleMs: number;
  /** While one is, its client is told so again and again. */
  readonly aliveMs: number;
}
const SOCKET_TIMEOUTS: SocketTimeouts = { idleMs: 10_000, aliveMs: 2_500 };

/** Lets this user, and nobody else, add, remove and list the cameras of a process that runs. */
export class ControlServer {
  readonly #server: Server;
  readonly #cameras: CameraControl;
  readonly #timeouts: SocketTimeouts;
  /** Connections without a request in work. */
  readonly #idle = new Set<Socket>();

  private constructor(cameras: CameraControl, timeouts: SocketTimeouts) {
    this.#cameras = cameras;
    this.#timeouts = timeouts;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** Throws PORT_IN_USE where another process listens there, PREREQUISITE_MISSING where none can. */
  static async open(
    path: string,
    cameras: CameraControl,
    timeouts = SOCKET_TIMEOUTS,
  ): Promise<ControlServer> {
    const control = new ControlServer(cameras, timeouts);
    try {
      prepareFolder(path);
      await clearAway(path);
      await control.#listen(path);
    } catch (cause) {
      if (cause instanceof AustreamError) throw cause;
      throw new AustreamError(
        'PREREQUISITE_MISSING',
        `the control socket ${path} cannot be made: ${(cause as NodeJS.ErrnoException).code}`,
        { fix: 'set control.socket to a path that can be written, or to null', cause },
      );
    }
    return control;
  }

  /** Resolves when the requests in work are answered; connections without one are ended. */
  async close(): Promise<void> {
    // Node removes the socket's file with it.
    this.#server.close();
    for (const socket of this.#idle) socket.destroy();
    await once(this.#server, 'close');
  }

  async #listen(path: string): Promise<void> {
    // The file is made within `listen`, and never, not even for a moment, with more rights.
    const usual = process.umask(0o177);
    try {
      this.#server.listen(path);
    } finally {
      process.umask(usual);
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
    const take = (chunk: string) => {
      text += chunk;
      if (text.length > LONGEST_REQUEST) socket.destroy();
      if (socket.destroyed || !text.endsWith('\n')) return;
      // What comes after it is read and forgotten.
      socket.off('data', take).resume();
      void this.#reply(socket, text);
    };
    socket.on('data', take);
  }

  /** A change takes as long as a camera takes to stop, which may have to hand on all that it gave. */
  async #reply(socket: Socket, text: string): Promise<void> {
    this.#idle.delete(socket);
    socket.setTimeout(0);
    // Space before the answer's JSON.
    const alive = setInterval(() => socket.write(' '), this.#timeouts.aliveMs);
    const reply = await this.#answer(text);
    clearInterval(alive);
    if (socket.destroyed) return;
    socket.setTimeout(this.#timeouts.idleMs);
    this.#idle.add(socket);
    socket.end(`${reply}\n`, () => socket.destroy());
  }

  async #answer(text: string): Promise<string> {
    try {
      return JSON.stringify({ ok: true, ...(await this.#act(text)) });
    } catch (error) {
      const { code, message, fix } =
        error instanceof AustreamError
          ? error
          : new AustreamError('ARGUMENT_INVALID', (error as Error).message);
      return JSON.stringify({ ok: false, code, message, ...(fix ? { fix } : {}) });
    }
  }

  async #act(text: string): Promise<ControlAnswers[keyof ControlAnswers]> {
    const request = controlRequest.safeParse(JSON.parse(text));
    if (!request.success) throw new AustreamError('ARGUMENT_INVALID', describeIssues(request.error));
    switch (request.data.op) {
      case 'list':
        return { cameras: this.#cameras.list() };
      case 'add': {
        const changes = await Promise.all(
          request.data.cameras.map(async (camera) => [camera.id, await this.#cameras.add(camera)] as const),
        );
        log.info({ cameras: Object.fromEntries(changes) }, 'cameras changed through the control socket');
        return { changes: Object.fromEntries(changes) };
      }
      case 'remove': {
        const known = new Set(this.#cameras.list().map(({ id }) => id));
        const unknown = request.data.ids.find((id) => !known.has(id));
        if (unknown !== undefined)
          throw new AustreamError('ARGUMENT_INVALID', `there is no camera ${unknown}`, {
            fix: 'austream cameras list shows them',
          });
        await Promise.all(request.data.ids.map((id) => this.#cameras.remove(id)));
        log.info({ cameras: request.data.ids }, 'cameras removed through the control socket');
        return { removed: request.data.ids };
      }
    }
  }
}

/** Removes the socket of a process that is gone. Throws PORT_IN_USE where it answers. */
async function clearAway(path: string): Promise<void> {
  try {
    await askControl(path, { op: 'list' });
  } catch (error) {
    if (!(error instanceof AustreamError) || error.code !== 'CONTROL_UNREACHABLE') throw error;
    const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED' && lstatSync(path).isSocket()) rmSync(path);
    return;
  }
  throw new AustreamError('PORT_IN_USE', `another austream listens at the control socket ${path}`, {
    fix: 'give each a control.socket of its own',
  });
}
