import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root span. */
  readonly parent: string;
  readonly name: string;
  /** Unix nanoseconds. */
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** An OTLP/HTTP receiver that decodes the protobuf messages it receives. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  readonly metrics = new Set<string>();
  readonly services = new Set<unknown>();
  /** Attributes of the newest resource: what describes the sending process. */
  resource: Readonly<Record<string, unknown>> = {};
  readonly #server: Server;
  readonly #proto: protobuf.Root;

  private constructor(server: Server, proto: protobuf.Root) {
    this.#server = server;
    this.#proto = proto;
    server.on('request', async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      this.#receive(request.url!, request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  }

  static async start(): Promise<OtlpReceiver> {
    const proto = await protobuf.load(fileURLToPath(new URL('otlp.proto', import.meta.url)));
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new OtlpReceiver(server, proto);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #receive(path: string, body: Buffer): void {
    if (path === '/v1/traces') {
      for (const { resource, scopeSpans } of this.#decode('ExportTraceServiceRequest', body).resourceSpans) {
        this.resource = attributesOf(resource.attributes);
        this.services.add(this.resource['service.name']);
        for (const { spans } of scopeSpans) this.spans.push(...spans.map(toReceivedSpan));
      }
    } else if (path === '/v1/metrics') {
      for (const { scopeMetrics } of this.#decode('ExportMetricsServiceRequest', body).resourceMetrics)
        for (const { metrics } of scopeMetrics) for (const { name } of metrics) this.metrics.add(name);
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: messages as protobufjs decodes them
  #decode(type: string, body: Buffer): any {
    const message = this.#proto.lookupType(type);
    return message.toObject(message.decode(body), {
      longs: String,
      bytes: Buffer,
      arrays: true,
      defaults: true,
    });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function toReceivedSpan(span: any): ReceivedSpan {
  return {
    traceId: span.traceId.toString('hex'),
    spanId: span.spanId.toString('hex'),
    parent: span.parentSpanId.toString('hex'),
    name: span.name,
    start: BigInt(span.startTimeUnixNano),
    end: BigInt(span.endTimeUnixNano),
    attributes: attributesOf(span.attributes),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function attributesOf(pairs: any[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]));
}
