import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How the registry answers: as it should, or as registries and proxies do while something is wrong. */
export type RegistryMood = 'ok' | 'not_found_html' | 'not_found_json' | 'too_many_requests' | 'unavailable';

const ANSWERS: Readonly<Record<Exclude<RegistryMood, 'ok'>, readonly [number, string, string]>> = {
  not_found_html: [404, 'text/html', '<html>no such page</html>'],
  not_found_json: [404, 'application/json', '{"error_code":40403,"message":"Schema not found"}'],
  too_many_requests: [429, 'application/json', '{"error_code":42901,"message":"slow down"}'],
  unavailable: [503, 'text/html', '<html>maintenance</html>'],
};

/** A schema registry with Confluent's API, in memory: what `RegistryMood` says is what clients get. */
export class ScriptedRegistry {
  mood: RegistryMood = 'ok';
  readonly #schemas: string[] = [];
  #server: Server | null = null;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The text of a registered schema. */
  schemaText(id: number): string {
    return this.#schemas[id - 1]!;
  }

  async start(): Promise<void> {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const reply = (status: number, body: object) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      if (this.mood !== 'ok') {
        const [status, type, body] = ANSWERS[this.mood];
        response.writeHead(status, { 'content-type': type }).end(body);
        return;
      }
      const { method, url = '' } = request;
      if (url.startsWith('/config')) return reply(200, { compatibility: 'FULL_TRANSITIVE' });
      if (method === 'GET') {
        const schema = this.#schemas[Number(url.split('/').at(-1)) - 1];
        return schema === undefined
          ? reply(404, { error_code: 40403, message: 'none' })
          : reply(200, { schema });
      }
      const { schema } = JSON.parse(Buffer.concat(chunks).toString()) as { schema: string };
      const known = this.#schemas.indexOf(schema) + 1;
      if (url.endsWith('/versions')) return reply(200, { id: known || this.#schemas.push(schema) });
      return known ? reply(200, { id: known }) : reply(404, { error_code: 40403, message: 'none' });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
  }

  /** The schemas stay. */
  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve(null)));
    this.#server = null;
  }
}
