import { randomUUID } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { queryPasswords, splitCredentials } from '../../../camera/credentials.ts';
import type { CameraOptions } from '../../../camera/options.ts';
import { rtspAddress } from '../../../camera/rtsp-address.ts';
import { AustreamError } from '../../../errors.ts';
import { Authenticator } from './authenticator.ts';
import { cameraConnector } from './connect.ts';
import { RtspExchange } from './exchange.ts';
import { encodeMessage, headerValues, type RtspMessage, statusOf, withHeader } from './message.ts';
import { type RtspPart, RtspReader } from './message-reader.ts';

/** A loopback server that speaks RTSP for rtspsrc with one camera. */
export interface RtspProxy {
  /** What rtspsrc opens; without credentials. */
  readonly location: string;
  /** `host:port` for rtspsrc's `proxy`. */
  readonly endpoint: string;
  /** The User-Agent by which the proxy knows its own rtspsrc: other users of this host can reach its port. */
  readonly userAgent: string;
}

interface ProxyEvents {
  /** A connection failed, before rtspsrc notices. */
  failed(error: AustreamError): void;
  /** The camera gets the password itself, unencrypted. */
  sendsPassword(): void;
}

/** What cameras see as the client. */
const USER_AGENT = 'austream';
/** rtspsrc opens one connection; another one for each stream of a camera without aggregate control. */
const MAX_CONNECTIONS = 8;
/** Redirects within the camera that are followed; more are a loop. */
const MAX_REDIRECTS = 5;

/**
 * Opens the proxy through which rtspsrc speaks with an rtsp:// or rtsps:// camera. Every connection goes to the host and
 * port of the camera's URL, whatever the camera answers, and only the proxy has the credentials: rtspsrc would follow a
 * redirect to another host with them, and would send the password itself to whoever asks for Basic authentication.
 * The proxy lives as long as the process; `listenerFd`: a listener that the process already has. Throws CAMERA_UNTRUSTED if the `ca` file cannot be read.
 */
export async function openRtspProxy(
  camera: CameraOptions,
  listenerFd: number | null,
  events: ProxyEvents,
): Promise<RtspProxy> {
  const { url, ...inUrl } = splitCredentials(camera.url);
  const address = rtspAddress(url);
  if (!address) throw new AustreamError('CAMERA_UNREACHABLE', 'the camera’s URL has no host');
  const username = camera.username ?? inUrl.username;
  const authenticator = new Authenticator(username, camera.password ?? inUrl.password, camera.auth);
  const connect = cameraConnector(address, camera.tls);
  if (!address.tls && queryPasswords(url).length > 0) events.sendsPassword();
  const userAgent = `austream/${randomUUID()}`;
  let redirects = 0;

  const server = createServer({ noDelay: true }, async (client) => {
    client.on('error', () => {});
    client.pause();
    const upstream = await connect().catch((error: AustreamError) => {
      events.failed(error);
      client.destroy();
    });
    if (!upstream) return;
    const fail = (error: unknown) => {
      if (error instanceof AustreamError) {
        events.failed(error);
        server.close();
      }
      client.destroy();
      upstream.destroy();
    };
    const exchange = new RtspExchange(address, peerOf(upstream), authenticator);
    const toCamera = (message: RtspMessage) => {
      if (authenticator.sendsPassword && !address.tls) events.sendsPassword();
      upstream.write(encodeMessage(withHeader(message, 'User-Agent', USER_AGENT)));
    };
    let isRtspsrc = false;
    relay(client, upstream, fail, (part) => {
      if ('message' in part) {
        const { message } = part;
        isRtspsrc ||= headerValues(message, 'User-Agent')[0] === userAgent;
        if (isRtspsrc) toCamera(exchange.toCamera(message));
      } else if (isRtspsrc) return upstream.write(part.frames);
      if (!isRtspsrc) fail(null);
      return true;
    });
    relay(upstream, client, fail, (part) => {
      if ('frames' in part) return client.write(part.frames);
      const next = exchange.fromCamera(part.message);
      if (next === null) return true;
      if ('toCamera' in next) toCamera(next.toCamera);
      else {
        if (Math.floor((statusOf(next.toClient) ?? 0) / 100) === 3 && ++redirects > MAX_REDIRECTS)
          throw new AustreamError('CAMERA_UNTRUSTED', 'the camera redirects in a circle');
        client.write(encodeMessage(next.toClient));
      }
      return true;
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    const where = listenerFd === null ? { port: 0, host: '127.0.0.1' } : { fd: listenerFd };
    server.listen(where, () => resolve((server.address() as { port: number }).port));
  });
  server.unref();
  return {
    location: url.replace(/^rtsps:/i, 'rtsp:'),
    endpoint: `127.0.0.1:${port}`,
    userAgent,
  };
}

/** Reads one direction. `forward` returns false while the receiver is busy; then reading waits. */
function relay(
  from: Socket,
  to: Socket,
  fail: (error: unknown) => void,
  forward: (part: RtspPart) => boolean,
): void {
  const reader = new RtspReader();
  from.on('data', (chunk: Buffer) => {
    try {
      for (const part of reader.push(chunk)) if (!forward(part)) from.pause();
    } catch (error) {
      fail(error);
    }
  });
  to.on('drain', () => from.resume());
  from.once('error', () => to.destroy());
  from.once('end', () => to.end());
  from.once('close', () => to.end());
  from.resume();
}

/** The camera's IP address. */
function peerOf(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}
