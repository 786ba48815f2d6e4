import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ScriptedAnswer {
  readonly status: number;
  readonly body?: string | object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A registry with Confluent's API and error codes. `script` may answer a request, such as `GET /schemas/ids/7`, instead. */
export class ScriptedRegistry {
  readonly requests: string[] = [];
  /** Schemas of each subject. */
  readonly subjects = new Map<string, string[]>();
  readonly levels = new Map<string, string>();
  nextId = 1;
  script: (request: string) => ScriptedAnswer | undefined = () => undefined;
  readonly #ids = new Map<string, number>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  static async start(port = 0): Promise<ScriptedRegistry> {
    const registry = new ScriptedRegistry();
    registry.#server.listen(port, '127.0.0.1');
    await once(registry.#server, 'listening');
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  /** Somebody else registers a schema. */
  add(subject: string, schema: string): number {
    this.subjects.set(subject, [...new Set([...(this.subjects.get(subject) ?? []), schema])]);
    if (!this.#ids.has(schema)) this.#ids.set(schema, this.nextId++);
    return this.#ids.get(schema)!;
  }

  /** The registry loses everything. */
  wipe(): void {
    this.subjects.clear();
    this.levels.clear();
    this.#ids.clear();
  }

  /** Requests that write. */
  get writes(): string[] {
    return this.requests.filter((request) => /^PUT|versions$/.test(request) && !request.startsWith('GET'));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {};
    const name = `${request.method} ${decodeURIComponent(request.url!)}`;
    this.requests.push(name);
    const { status, body: answer = '', headers = {} } = this.script(name) ?? this.#serve(name, body);
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
    response.writeHead(status, headers).end(text);
  }

  #serve(request: string, body: { schema?: string; compatibility?: string }): ScriptedAnswer {
    const [method, path] = request.split(' ') as [string, string];
    const [, kind, subject = '', versions] = path.split('/');
    if (kind === 'schemas') {
      const found = [...this.#ids].find(([, id]) => path === `/schemas/ids/${id}`);
      return found ? { status: 200, body: { schema: found[0] } } : absent(40403, 'Schema not found');
    }
    if (kind === 'config') {
      if (method === 'PUT') {
        this.levels.set(subject, body.compatibility!);
        return { status: 200, body };
      }
      const level = subject === '' ? 'BACKWARD' : this.levels.get(subject);
      return level ? { status: 200, body: { compatibilityLevel: level } } : absent(40408, 'No level');
    }
    const schemas = this.subjects.get(subject);
    if (method === 'POST' && versions) {
      return { status: 200, body: { id: this.add(subject, body.schema!) } };
    }
    if (!schemas) return absent(40401, `Subject '${subject}' not found.`);
    if (versions) return { status: 200, body: schemas.map((_, index) => index + 1) };
    if (!schemas.includes(body.schema!)) return absent(40403, 'Schema not found');
    return { status: 200, body: { id: this.#ids.get(body.schema!), subject } };
  }
}

export function absent(code: number, message: string): ScriptedAnswer {
  return { status: 404, body: { error_code: code, message } };
}
