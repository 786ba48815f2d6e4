import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { connect, getCACertificates, type TLSSocket } from 'node:tls';
import type { CameraOptions } from '../../camera/options.ts';
import { AustreamError } from '../../errors.ts';

const RTSPS_PORT = 322;

/**
 * Opens a TLS tunnel to an rtsps:// camera; returns the loopback `host:port` for rtspsrc's `proxy`. rtspsrc speaks plain
 * RTSP to that port and Node speaks TLS to the camera, because gstreamer-superficial cannot give GStreamer a CA or a
 * pinned fingerprint. The tunnel accepts one connection at a time and lives as long as the process.
 *
 * `onError` is called for every connection that fails, before rtspsrc notices. Throws CAMERA_UNTRUSTED if the `ca` file
 * cannot be read.
 */
export function openTlsTunnel(
  url: string,
  trust: CameraOptions['tls'],
  onError: (error: AustreamError) => void,
): Promise<string> {
  const { hostname, port } = new URL(url.replace(/^rtsps:/i, 'https:'));
  const target = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || defaultPort(url) };
  const ca = trust.ca === undefined ? getCACertificates('system') : [readCa(trust.ca)];
  const pinned = trust.fingerprint?.replaceAll(':', '').toUpperCase();
  const server = createServer({ allowHalfOpen: false }, (plain) => {
    const encrypted = connect({
      ...target,
      ca,
      ...(/^[\d.]+$|:/.test(target.host) ? {} : { servername: target.host }),
      // Checked below, where the error can contain the certificate's fingerprint.
      rejectUnauthorized: false,
    });
    const reject = (error: AustreamError) => {
      onError(error);
      encrypted.destroy();
      plain.destroy();
    };
    plain.on('error', () => encrypted.destroy());
    encrypted.on('error', (error: NodeJS.ErrnoException) => reject(connectionError(error, target.host)));
    encrypted.once('secureConnect', () => {
      const fingerprint = encrypted.getPeerX509Certificate()?.fingerprint256 ?? '';
      const trusted =
        pinned === undefined ? encrypted.authorized : fingerprint.replaceAll(':', '') === pinned;
      if (trusted) plain.pipe(encrypted).pipe(plain);
      else {
        const reason = pinned ? 'it is not the pinned one' : authorizationError(encrypted);
        reject(untrusted(target.host, fingerprint, reason));
      }
    });
  });
  server.maxConnections = 1;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.unref();
      if (address !== null && typeof address === 'object') resolve(`127.0.0.1:${address.port}`);
    });
  });
}

/** `new URL` drops an explicit 443 as the default port of https; the default port of rtsps is 322. */
function defaultPort(url: string): number {
  return /^rtsps:\/\/[^/]*:443(\/|$)/i.test(url) ? 443 : RTSPS_PORT;
}

function readCa(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new AustreamError('CAMERA_UNTRUSTED', `tls.ca cannot be read: ${file}`, { cause });
  }
}

/** `self signed certificate`, from the code `SELF_SIGNED_CERTIFICATE`. */
function authorizationError(socket: TLSSocket): string {
  // Node's types say Error; the value is a code.
  return String(socket.authorizationError ?? 'unknown')
    .toLowerCase()
    .replaceAll('_', ' ');
}

function untrusted(host: string, fingerprint: string, reason: string): AustreamError {
  return new AustreamError('CAMERA_UNTRUSTED', `the certificate of ${host} is not trusted: ${reason}`, {
    fix: `set tls.ca to the file of its certificate authority, or, if it is your camera, tls.fingerprint to ${fingerprint}`,
  });
}

function connectionError(error: NodeJS.ErrnoException, host: string): AustreamError {
  const code = error.code ?? error.message;
  return code === 'EPROTO' || code.startsWith('ERR_')
    ? new AustreamError('CAMERA_UNTRUSTED', `${host} speaks no TLS on this port (${code})`, {
        fix: 'check the port, or use rtsp:// if the camera has no encryption',
      })
    : new AustreamError('CAMERA_UNREACHABLE', `${host} cannot be reached: ${code}`);
}
