import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** One request that the server received. */
export interface RtspRequest {
  readonly method: string;
  readonly uri: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A response: status line after `RTSP/1.0 `, headers, body. */
export type Answer = readonly [status: string, headers?: readonly string[], body?: string];

/** An RTSP server on a port of its own that answers as a test tells it and records every byte that it receives. */
export class HostileRtspServer {
  readonly requests: RtspRequest[] = [];
  /** Everything received, in order. */
  received = '';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(answer: (request: RtspRequest, server: HostileRtspServer) => Answer | null) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      let text = '';
      socket.on('data', (chunk) => {
        this.received += chunk.toString('latin1');
        text += chunk.toString('latin1');
        for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
          const request = parse(text.slice(0, end));
          text = text.slice(end + 4);
          this.requests.push(request);
          const reply = answer(request, this);
          if (reply !== null) socket.write(encode(reply, request), 'latin1');
        }
      });
    });
  }

  static async start(
    answer: (request: RtspRequest, server: HostileRtspServer) => Answer | null,
  ): Promise<HostileRtspServer> {
    const hostile = new HostileRtspServer(answer);
    await new Promise<void>((resolve) => hostile.#server.listen(0, resolve));
    return hostile;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** At 127.0.0.1 or another address of the loopback. */
  url(host = '127.0.0.1'): string {
    return `rtsp://${host}:${this.port}/cam1`;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

function parse(text: string): RtspRequest {
  const [start = '', ...lines] = text.split('\r\n');
  const [method = '', uri = ''] = start.split(' ');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { method, uri, headers: Object.fromEntries(headers) };
}

function encode([status, headers = [], body = '']: Answer, { headers: asked }: RtspRequest): string {
  const lines = [`RTSP/1.0 ${status}`, `CSeq: ${asked.cseq}`, ...headers];
  if (body !== '') lines.push(`Content-Length: ${body.length}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
