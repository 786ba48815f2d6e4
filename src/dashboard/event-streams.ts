import type { FastifyReply, FastifyRequest } from 'fastify';
import { monotonicMs, onClockStep, wallMs } from '../clock.ts';
import { maySee } from './access/person.ts';
import { HEARTBEAT_MS, type Hello, type Message } from './protocol.ts';
import type { DashboardStore } from './store.ts';

/** Scores are sent at this interval; changes of a camera's state at once. */
const TICK_MS = 100;
/** Open event streams, one per page: together, and of one person. */
const MAX_STREAMS = 64;
const MAX_PER_PERSON = 32;

/** The event streams of the open pages. */
export class EventStreams {
  readonly #store: DashboardStore;
  readonly #endClockWatch: () => void;
  /** Ends a stream; by it, the name of its person. */
  readonly #open = new Map<() => void, string>();

  constructor(store: DashboardStore) {
    this.#store = store;
    // Pages connect again and get everything by the clock as it is now.
    this.#endClockWatch = onClockStep((stepMs) => {
      store.clockStepped(stepMs);
      this.#endAll();
    });
  }

  close(): void {
    this.#endClockWatch();
    this.#endAll();
  }

  #endAll(): void {
    for (const end of this.#open.keys()) end();
  }

  /**
   * Streams updates to one page until it closes or its grant ends. `used` is called while the page is open. Under
   * backpressure nothing is written and nothing is queued.
   */
  open(request: FastifyRequest, reply: FastifyReply, hello: Hello, used: () => void): FastifyReply {
    const { person, isCurrent } = request.grant!;
    const own = [...this.#open.values()].filter((name) => name === person.name).length;
    if (this.#open.size >= MAX_STREAMS || own >= MAX_PER_PERSON)
      return reply.code(503).send({ error: 'too many pages are open already' });
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream',
    });
    const cursor = this.#store.openCursor((cameraId) => maySee(person, cameraId));
    let lastWrite = monotonicMs();
    const write = (message: Message) => {
      raw.write(`data: ${JSON.stringify(message)}\n\n`);
      lastWrite = monotonicMs();
    };
    const writeUpdate = () => {
      if (!isCurrent()) return end();
      used();
      if (raw.writableNeedDrain) return;
      const update = cursor.next();
      if (update) write(update);
      else if (monotonicMs() - lastWrite >= HEARTBEAT_MS)
        write({ type: 'update', now: wallMs(), cameras: [], removed: [], faces: [] });
    };
    const timer = setInterval(writeUpdate, TICK_MS);
    const unsubscribe = this.#store.onCameraState(writeUpdate);
    const end = () => {
      clearInterval(timer);
      unsubscribe();
      this.#open.delete(end);
      raw.end();
    };
    this.#open.set(end, person.name);
    raw.on('close', end);
    write(hello);
    return reply;
  }
}
