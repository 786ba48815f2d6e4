import { createServer, type Server, type Socket, connect as tcpConnect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../../src/clock.ts';

/** What the network does to every connection. */
export interface NetworkFaults {
  /** Delay of each chunk, in each direction. Chunks keep their order. */
  readonly latencyMs: number;
  /** At most this much more delay, different for each chunk. */
  readonly jitterMs: number;
  /** Of each direction of each connection. */
  readonly bytesPerSecond: number;
  /** The direction whose bytes vanish. The connection stays open. */
  readonly blackHole: 'none' | 'requests' | 'answers' | 'both';
  /** A connection is reset when it has carried this many bytes, mostly in the middle of a message. */
  readonly resetAfterBytes: number;
}

const NO_FAULTS: NetworkFaults = {
  latencyMs: 0,
  jitterMs: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  blackHole: 'none',
  resetAfterBytes: Number.POSITIVE_INFINITY,
};
/** A direction reads no more while this much waits. */
const BUFFER_BYTES = 256 * 1024;

/** A TCP proxy in front of a broker that makes the network fail. The broker must advertise `address`. */
export class BrokerProxy {
  readonly #upstreamPort: number;
  readonly #connections = new Set<Connection>();
  #server: Server | null = null;
  #port = 0;
  #faults = NO_FAULTS;

  static async start(upstreamPort: number): Promise<BrokerProxy> {
    const proxy = new BrokerProxy(upstreamPort);
    await proxy.listen();
    return proxy;
  }

  private constructor(upstreamPort: number) {
    this.#upstreamPort = upstreamPort;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Of all connections, old and new, until the next call. Without faults the network is well again. */
  set(faults: Partial<NetworkFaults> = {}): void {
    this.#faults = { ...NO_FAULTS, ...faults };
  }

  /** Old connections carry nothing more, and stay open, as after a firewall or NAT has forgotten them. New ones work. */
  forgetConnections(): void {
    for (const connection of this.#connections) connection.forgotten = true;
  }

  resetConnections(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** New connections are refused; old ones are reset. */
  async refuse(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    this.resetConnections();
    await closed;
    this.#server = null;
  }

  async listen(): Promise<void> {
    this.#server = createServer((client) => {
      const connection = new Connection(client, this.#upstreamPort, () => this.#faults);
      this.#connections.add(connection);
      connection.closed.then(() => this.#connections.delete(connection));
    });
    await new Promise<void>((resolve) => this.#server!.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as { port: number }).port;
  }

  stop(): Promise<void> {
    return this.refuse();
  }
}

class Connection {
  forgotten = false;
  readonly closed: Promise<void>;
  readonly #client: Socket;
  readonly #broker: Socket;
  readonly #faults: () => NetworkFaults;
  #bytes = 0;

  constructor(client: Socket, port: number, faults: () => NetworkFaults) {
    this.#client = client;
    this.#broker = tcpConnect({ port, host: '127.0.0.1', noDelay: true });
    this.#faults = faults;
    client.setNoDelay(true);
    this.#carry(client, this.#broker, 'requests');
    this.#carry(this.#broker, client, 'answers');
    const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));
    this.closed = Promise.all([closed(client), closed(this.#broker)]).then(() => {});
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#broker.destroy();
  }

  #carry(from: Socket, to: Socket, direction: 'requests' | 'answers'): void {
    let carried: Promise<void> = Promise.resolve();
    let waiting = 0;
    let due = 0;
    from.on('data', (chunk: Buffer) => {
      const { latencyMs, jitterMs } = this.#faults();
      due = Math.max(due, monotonicMs() + latencyMs + Math.random() * jitterMs);
      const chunkDue = due;
      waiting += chunk.length;
      if (waiting > BUFFER_BYTES) from.pause();
      carried = carried.then(async () => {
        const late = chunkDue - monotonicMs();
        if (late > 0) await sleep(late);
        await this.#deliver(chunk, to, direction);
        waiting -= chunk.length;
        if (waiting <= BUFFER_BYTES) from.resume();
      });
    });
    from.on('error', () => {});
    from.on('close', () => carried.then(() => this.forgotten || to.destroy()));
  }

  async #deliver(chunk: Buffer, to: Socket, direction: 'requests' | 'answers'): Promise<void> {
    const { bytesPerSecond, blackHole, resetAfterBytes } = this.#faults();
    this.#bytes += chunk.length;
    if (this.#bytes > resetAfterBytes) return this.reset();
    if (this.forgotten || blackHole === direction || blackHole === 'both') return;
    if (Number.isFinite(bytesPerSecond)) await sleep((chunk.length / bytesPerSecond) * 1000);
    if (!to.destroyed) to.write(chunk);
  }
}
