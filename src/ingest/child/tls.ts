import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { connect, getCACertificates, type TLSSocket } from 'node:tls';
import type { CameraOptions } from '../../camera/options.ts';
import { AustreamError } from '../../errors.ts';

const RTSPS_PORT = 322;

/**
 * The way of an rtsps:// camera: rtspsrc speaks plain RTSP to this process's own loopback port, and Node speaks TLS
 * to the camera, because GStreamer's own checks cannot be given an authority or a fingerprint through
 * gstreamer-superficial. Nothing but one connection at a time is let in.
 */
export class TlsTunnel {
  /** `host:port` for rtspsrc's `proxy`. */
  readonly proxy: string;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.proxy = `127.0.0.1:${port}`;
  }

  /**
   * Throws CAMERA_UNTRUSTED at once where the `ca` file cannot be read. `failed` hears of every connection that
   * could not be made, before rtspsrc does.
   */
  static open(
    url: string,
    trust: CameraOptions['tls'],
    failed: (error: AustreamError) => void,
  ): Promise<TlsTunnel> {
    const { hostname, port } = new URL(url.replace(/^rtsps:/i, 'https:'));
    const target = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || defaultPort(url) };
    const ca = trust.ca === undefined ? getCACertificates('system') : [readCa(trust.ca)];
    const wanted = trust.fingerprint?.replaceAll(':', '').toUpperCase();
    const server = createServer({ allowHalfOpen: false }, (inside) => {
      const outside = connect({
        ...target,
        ca,
        ...(/^[\d.]+$|:/.test(target.host) ? {} : { servername: target.host }),
        // Judged below, where the certificate can still be seen and told.
        rejectUnauthorized: false,
      });
      const refuse = (error: AustreamError) => {
        failed(error);
        outside.destroy();
        inside.destroy();
      };
      inside.on('error', () => outside.destroy());
      outside.on('error', (error: NodeJS.ErrnoException) => refuse(unreachable(error, target.host)));
      outside.once('secureConnect', () => {
        const seen = outside.getPeerX509Certificate()?.fingerprint256 ?? '';
        const trusted = wanted === undefined ? outside.authorized : seen.replaceAll(':', '') === wanted;
        if (trusted) inside.pipe(outside).pipe(inside);
        else refuse(untrusted(target.host, seen, wanted ? 'it is not the pinned one' : reason(outside)));
      });
    });
    server.maxConnections = 1;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.unref();
        if (address !== null && typeof address === 'object') resolve(new TlsTunnel(server, address.port));
      });
    });
  }

  close(): void {
    this.#server.close();
  }
}

/** `new URL` hides the default port of https, which is none of rtsps. */
function defaultPort(url: string): number {
  return /^rtsps:\/\/[^/]*:443(\/|$)/i.test(url) ? 443 : RTSPS_PORT;
}

function readCa(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new AustreamError('CAMERA_UNTRUSTED', `the certificates of tls.ca cannot be read: ${file}`, {
      cause,
    });
  }
}

function reason(socket: TLSSocket): string {
  // Typed as an error, but a code in fact.
  return String(socket.authorizationError ?? 'unknown')
    .toLowerCase()
    .replaceAll('_', ' ');
}

function untrusted(host: string, fingerprint: string, why: string): AustreamError {
  return new AustreamError('CAMERA_UNTRUSTED', `the certificate of ${host} is not trusted: ${why}`, {
    fix: `set tls.ca to the file of its authority, or, if it is your camera, tls.fingerprint to ${fingerprint}`,
  });
}

function unreachable(error: NodeJS.ErrnoException, host: string): AustreamError {
  const code = error.code ?? error.message;
  return code === 'EPROTO' || code.startsWith('ERR_')
    ? new AustreamError('CAMERA_UNTRUSTED', `${host} speaks no TLS on this port (${code})`, {
        fix: 'check the port, or use rtsp:// if the camera has no encryption',
      })
    : new AustreamError('CAMERA_UNREACHABLE', `${host} cannot be reached: ${code}`);
}
