import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { wallMs } from '../../clock.ts';
import { AustreamError } from '../../errors.ts';
import { TokenCheck } from './security.ts';
import { type DeviceState, PRE_AUTH, respond, SERVICES, type SimulatedProfile } from './services.ts';
import { envelope, parseRequest, SoapFault } from './soap.ts';

interface DeviceOptions {
  readonly name: string;
  readonly host: string;
  /** 0 selects a free port. */
  readonly port: number;
  /** With a user, all operations but those of `PRE_AUTH` require user and password. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly profiles: readonly SimulatedProfile[];
  readonly media2?: boolean;
}

const MAX_REQUEST_CHARACTERS = 65_536;

/** A simulated ONVIF device: device and media services over SOAP. Its writable fields may change while it runs. */
export class OnvifDevice {
  readonly name: string;
  readonly uuid: string;
  readonly host: string;
  readonly port: number;
  profiles: readonly SimulatedProfile[];
  media2: boolean;
  /** Clock error in seconds. */
  clockOffset = 0;
  /** Whether GetSystemDateAndTime reports the time. */
  reportsTime = true;
  /** The host in the URLs that it reports if that differs from `host`, as behind NAT. */
  reportedHost: string | null = null;
  readonly #server: Server;
  readonly #tokenCheck: TokenCheck | null;

  private constructor(options: DeviceOptions, server: Server) {
    this.name = options.name;
    this.host = options.host;
    this.port = (server.address() as AddressInfo).port;
    this.uuid = uuidOf(`${options.host}:${this.port}`);
    this.profiles = options.profiles;
    this.media2 = options.media2 ?? true;
    this.#server = server;
    this.#tokenCheck =
      options.user === undefined ? null : new TokenCheck(options.user, options.password ?? '');
    server.on('request', (request, response) => {
      void this.#handle(request).then(({ status, body }) => {
        response.writeHead(status, { 'Content-Type': 'application/soap+xml; charset=utf-8' }).end(body);
      });
    });
  }

  /** Throws PORT_IN_USE, or ARGUMENT_INVALID for a host that is not an address of this machine. */
  static start(options: DeviceOptions): Promise<OnvifDevice> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          error.code === 'EADDRINUSE'
            ? new AustreamError('PORT_IN_USE', `port ${options.port} of ${options.host} is in use`, {
                fix: 'choose another port with --onvif-port, or 0 for a free one',
              })
            : new AustreamError(
                'ARGUMENT_INVALID',
                `an ONVIF device cannot listen at ${options.host}: ${error.code}`,
              ),
        ),
      );
      server.listen(options.port, options.host, () => resolve(new OnvifDevice(options, server)));
    });
  }

  /** The URL of this camera for austream's config. */
  get url(): string {
    return `onvif://${this.host}:${this.port}`;
  }

  /** URL of its device service, as the device reports it. */
  get serviceUrl(): string {
    return `${this.#state.origin}${SERVICES.tds}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get #state(): DeviceState {
    const { name, uuid, media2 } = this;
    const reportedHost = this.reportedHost;
    const profiles =
      reportedHost === null
        ? this.profiles
        : this.profiles.map((profile) => ({ ...profile, uri: profile.uri.replace(this.host, reportedHost) }));
    const origin = `http://${reportedHost ?? this.host}:${this.port}`;
    return { name, uuid, media2, profiles, origin, time: this.reportsTime ? this.#now : null };
  }

  get #now(): number {
    return wallMs() + this.clockOffset * 1000;
  }

  async #handle(http: IncomingMessage): Promise<{ status: number; body: string }> {
    try {
      if (!Object.values<string>(SERVICES).includes(http.url ?? '')) return { status: 404, body: '' };
      const request = await parseRequest(await readBody(http)).catch(() => {
        throw new SoapFault(400, 'Sender', ['ter:WellFormed'], 'Well-formed Error');
      });
      if (!PRE_AUTH.has(request.operation)) this.#tokenCheck?.check(request.security, this.#now);
      return { status: 200, body: envelope(respond(request, this.#state)) };
    } catch (error) {
      if (!(error instanceof SoapFault)) return { status: 500, body: '' };
      return { status: error.status, body: envelope(error.body) };
    }
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_REQUEST_CHARACTERS) throw new Error('the request is too long');
  }
  return text;
}

/** A UUID derived from the address, so that the device keeps it after a restart. */
function uuidOf(address: string): string {
  const hash = createHash('sha256').update(address).digest('hex');
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
