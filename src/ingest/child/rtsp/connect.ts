import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, getCACertificates, type TLSSocket } from 'node:tls';
import { getSystemErrorMap } from 'node:util';
import type { CameraOptions } from '../../../camera/options.ts';
import type { RtspAddress } from '../../../camera/rtsp-address.ts';
import { AustreamError } from '../../../errors.ts';

/** Longest wait for the TCP connection and the TLS handshake; rtspsrc gives up after 10 s. */
const CONNECT_MS = 8_000;

/** Opens connections to a camera. */
export type Connect = () => Promise<Socket>;

/**
 * How a camera is connected: TCP, or TLS in Node, because gstreamer-superficial cannot give GStreamer a CA or a pinned
 * fingerprint. Connections reject with CAMERA_UNREACHABLE or CAMERA_UNTRUSTED; no byte is sent before the certificate
 * was checked. Throws CAMERA_UNTRUSTED if the `ca` file cannot be read.
 */
export function cameraConnector(camera: RtspAddress, trust: CameraOptions['tls']): Connect {
  const { host, port, tls } = camera;
  const ca = trust.ca === undefined ? undefined : [readCa(trust.ca)];
  const pinned = trust.fingerprint?.replaceAll(':', '').toUpperCase();
  return () =>
    new Promise((resolve, reject) => {
      const socket = tls
        ? connectTls({
            host,
            port,
            ca: ca ?? getCACertificates('system'),
            ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
            // Checked below, where the error can contain the certificate's fingerprint.
            rejectUnauthorized: false,
          })
        : connectTcp({ host, port, noDelay: true });
      const fail = (error: AustreamError) => {
        clearTimeout(timer);
        socket.destroy();
        reject(error);
      };
      const timer = setTimeout(() => fail(unreachable(host, 'timed out')), CONNECT_MS);
      socket.on('error', (error) => fail(connectionError(error, host)));
      socket.once(tls ? 'secureConnect' : 'connect', () => {
        const error = tls ? certificateError(socket as TLSSocket, host, pinned) : null;
        if (error) return fail(error);
        clearTimeout(timer);
        resolve(socket);
      });
    });
}

function certificateError(socket: TLSSocket, host: string, pinned: string | undefined): AustreamError | null {
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256 ?? '';
  const trusted = pinned === undefined ? socket.authorized : fingerprint.replaceAll(':', '') === pinned;
  if (trusted) return null;
  return untrusted(host, fingerprint, pinned ? 'it is not the pinned one' : authorizationError(socket));
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
    : unreachable(host, describe(error));
}

/** `connection refused`, from ECONNREFUSED. A name with several addresses fails with one error for each. */
function describe(error: NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] }): string {
  const { code, errno, message } = error.errors?.[0] ?? error;
  if (code === 'ENOTFOUND') return 'its name cannot be resolved';
  return getSystemErrorMap().get(errno ?? 0)?.[1] ?? code ?? message;
}

function unreachable(host: string, reason: string): AustreamError {
  return new AustreamError('CAMERA_UNREACHABLE', `the camera ${host} cannot be reached: ${reason}`, {
    fix: 'check host and port of the URL, and that no firewall blocks them',
  });
}
