import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AustreamError } from '../../errors.ts';
import { TokenCheck } from './security.ts';
import { answer, type DeviceState, OPEN_TO_ALL, SERVICES, type SimulatedProfile } from './services.ts';
import { envelope, parseRequest, SoapFault } from './soap.ts';

export interface DeviceOptions {
  readonly name: string;
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** With a user, everything but time and services asks for user and password. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly profiles: readonly SimulatedProfile[];
  readonly media2?: boolean;
}

const LONGEST_REQUEST = 65_536;

/** An ONVIF device that is not there: device and media services over SOAP. Its fields may change while it runs. */
export class OnvifDevice {
  readonly name: string;
  readonly uuid: string;
  readonly host: string;
  readonly port: number;
  profiles: readonly SimulatedProfile[];
  media2: boolean;
  /** How far its clock is wrong, in seconds. */
  clockOffset = 0;
  /** False: it keeps its time to itself. */
  tellsTime = true;
  /** The host that it believes itself to be, where that is another one: as behind NAT. */
  believedHost: string | null = null;
  readonly #server: Server;
  readonly #security: TokenCheck | null;

  private constructor(options: DeviceOptions, server: Server) {
    this.name = options.name;
    this.host = options.host;
    this.port = (server.address() as AddressInfo).port;
    this.uuid = uuidOf(`${options.host}:${this.port}`);
    this.profiles = options.profiles;
    this.media2 = options.media2 ?? true;
    this.#server = server;
    this.#security = options.user === undefined ? null : new TokenCheck(options.user, options.password ?? '');
    server.on('request', (request, response) => {
      void this.#handle(request).then(({ status, body }) => {
        response.writeHead(status, { 'Content-Type': 'application/soap+xml; charset=utf-8' }).end(body);
      });
    });
  }

  /** Throws PORT_IN_USE, ARGUMENT_INVALID. */
  static start(options: DeviceOptions): Promise<OnvifDevice> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          error.code === 'EADDRINUSE'
            ? new AustreamError('PORT_IN_USE', `port ${options.port} of ${options.host} is in use`, {
                fix: 'choose another with --onvif-port, or 0 for a free one',
              })
            : new AustreamError('ARGUMENT_INVALID', `no device at ${options.host}: ${error.code}`),
        ),
      );
      server.listen(options.port, options.host, () => resolve(new OnvifDevice(options, server)));
    });
  }

  /** What austream takes as the URL of a camera. */
  get url(): string {
    return `onvif://${this.host}:${this.port}`;
  }

  /** Where its device service is, by its own belief. */
  get serviceUrl(): string {
    return `${this.#state.origin}${SERVICES.tds}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get #state(): DeviceState {
    const { name, uuid, media2 } = this;
    const believed = this.believedHost;
    const profiles =
      believed === null
        ? this.profiles
        : this.profiles.map((profile) => ({ ...profile, uri: profile.uri.replace(this.host, believed) }));
    const origin = `http://${believed ?? this.host}:${this.port}`;
    return { name, uuid, media2, profiles, origin, time: this.tellsTime ? this.#now : null };
  }

  get #now(): number {
    return Date.now() + this.clockOffset * 1000;
  }

  async #handle(http: IncomingMessage): Promise<{ status: number; body: string }> {
    try {
      if (!Object.values<string>(SERVICES).includes(http.url ?? '')) return { status: 404, body: '' };
      const request = await parseRequest(await read(http)).catch(() => {
        throw new SoapFault(400, 'Sender', ['ter:WellFormed'], 'Well-formed Error');
      });
      if (!OPEN_TO_ALL.has(request.operation)) this.#security?.check(request.security, this.#now);
      return { status: 200, body: envelope(answer(request, this.#state)) };
    } catch (error) {
      if (!(error instanceof SoapFault)) return { status: 500, body: '' };
      return { status: error.status, body: envelope(error.body) };
    }
  }
}

async function read(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > LONGEST_REQUEST) throw new Error('too long');
  }
  return text;
}

/** The same device after a restart. */
function uuidOf(what: string): string {
  const hash = createHash('sha256').update(what).digest('hex');
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
