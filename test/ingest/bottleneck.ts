import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';

/** A way over TCP to a server on this host, whose capacity can shrink as that of a bad network does. */
export class Bottleneck {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #opened = performance.now();
  #carried = 0;
  /** Bytes a second towards the client. */
  #capacity = Number.POSITIVE_INFINITY;

  private constructor(target: number) {
    this.#server = createServer((client) => {
      const server = dial(target, '127.0.0.1');
      const ends = [client, server] as const;
      for (const [end, other] of [ends, ends.toReversed()] as [Socket, Socket][]) {
        this.#sockets.add(end);
        end.on('error', () => {});
        end.on('close', () => {
          this.#sockets.delete(end);
          other.destroy();
        });
      }
      client.pipe(server);
      server.on('data', (chunk: Buffer) => this.#carry(chunk, server, client));
    });
  }

  static async before(target: number): Promise<Bottleneck> {
    const way = new Bottleneck(target);
    await new Promise<void>((resolve) => way.#server.listen(0, '127.0.0.1', resolve));
    return way;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Leaves this share of what it has carried a second until now. */
  narrow(share: number): void {
    this.#capacity = (share * this.#carried * 1000) / (performance.now() - this.#opened);
  }

  widen(): void {
    this.#capacity = Number.POSITIVE_INFINITY;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Reads on only when the chunk has had its time: what waits, waits in the sender's and the kernel's buffers. */
  #carry(chunk: Buffer, server: Socket, client: Socket): void {
    this.#carried += chunk.length;
    server.pause();
    client.write(chunk);
    setTimeout(() => server.resume(), (chunk.length / this.#capacity) * 1000);
  }
}
