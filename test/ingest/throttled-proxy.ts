import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy to a server on this host whose bandwidth can be limited, as that of a bad network is. */
export class ThrottledProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #openedAt = performance.now();
  /** Bytes sent to clients. */
  #forwarded = 0;
  /** Bytes per second towards the client. */
  #bandwidth = Number.POSITIVE_INFINITY;

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      const server = connect(targetPort, '127.0.0.1');
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
      server.on('data', (chunk: Buffer) => this.#forward(chunk, server, client));
    });
  }

  static async start(targetPort: number): Promise<ThrottledProxy> {
    const proxy = new ThrottledProxy(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Limits the bandwidth to this share of its mean so far. */
  throttle(share: number): void {
    this.#bandwidth = (share * this.#forwarded * 1000) / (performance.now() - this.#openedAt);
  }

  unthrottle(): void {
    this.#bandwidth = Number.POSITIVE_INFINITY;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Reads on only after the chunk's transmission time: the rest waits in the sender's and the kernel's buffers. */
  #forward(chunk: Buffer, server: Socket, client: Socket): void {
    this.#forwarded += chunk.length;
    server.pause();
    client.write(chunk);
    setTimeout(() => server.resume(), (chunk.length / this.#bandwidth) * 1000);
  }
}
