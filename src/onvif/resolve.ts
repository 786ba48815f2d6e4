import { isIP } from 'node:net';
import { splitCredentials } from '../camera/credentials.ts';
import { parseDeviceUrl } from '../camera/onvif-address.ts';
import type { CameraOptions } from '../camera/options.ts';
import { AustreamError } from '../errors.ts';
import { OnvifClient } from './client.ts';
import { type DeviceClock, describeClock } from './clock.ts';
import { chooseProfile, describeProfile, type MediaProfile } from './profile.ts';

/** An ONVIF camera whose device returned the stream to play. */
interface ResolvedCamera {
  /** The camera with the stream's RTSP URL and separate credentials. */
  readonly camera: CameraOptions;
  readonly profile: MediaProfile;
  readonly clock: DeviceClock | null;
  /** The IP address that the device reports if it differs from the configured one, as behind NAT; else null. */
  readonly otherHost: string | null;
}

/** Timeout of all requests together; must be shorter than the watchdog's timeout for heartbeats. */
const RESOLVE_MS = 8_000;
const MAX_URL_LENGTH = 2_048;

/**
 * Asks an `onvif://` camera for its stream URL, media profile and clock. Throws CAMERA_UNREACHABLE, CAMERA_UNAUTHORIZED,
 * CAMERA_NOT_ONVIF, CAMERA_NOT_FOUND, CAMERA_NO_VIDEO, CAMERA_STREAM_FAILED.
 */
export function resolveCamera(camera: CameraOptions): Promise<ResolvedCamera> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(
          new AustreamError(
            'CAMERA_UNREACHABLE',
            `the device takes more than ${RESOLVE_MS / 1000} s to answer ONVIF requests`,
            { fix: 'check the network, or use the camera’s rtsp:// URL' },
          ),
        ),
      RESOLVE_MS,
    );
    requestStream(camera)
      .finally(() => clearTimeout(timer))
      .then(resolve, reject);
  });
}

async function requestStream(camera: CameraOptions): Promise<ResolvedCamera> {
  const { url, ...urlCredentials } = splitCredentials(camera.url);
  const address = parseDeviceUrl(url);
  if (typeof address === 'string') throw new AustreamError('ARGUMENT_INVALID', `${url} ${address}`);
  const credentials = {
    username: camera.username ?? urlCredentials.username,
    password: camera.password ?? urlCredentials.password,
  };
  const client = new OnvifClient(address, credentials);
  const clock = await client.clock();
  const profile = chooseProfile(await client.profiles(), address.profile);
  const stream = streamUrl(await client.streamUri(profile), address.host);
  const { username, password } = credentials;
  return {
    camera: {
      ...camera,
      url: stream.url,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    },
    profile,
    clock,
    otherHost: stream.otherHost,
  };
}

/**
 * The stream's URL with the configured host: a device behind NAT returns an address that cannot be reached, and a
 * malicious device must not choose another host that receives the password. Port, path and query are the device's;
 * credentials in its URL are removed. Throws CAMERA_NO_VIDEO for anything but an RTSP URL.
 */
export function streamUrl(deviceUrl: unknown, host: string): { url: string; otherHost: string | null } {
  const text = typeof deviceUrl === 'string' ? splitCredentials(deviceUrl.trim()).url : '';
  const parts = /^(rtsps?):\/\/(\[[^\]/?#]*\]|[^:/?#[\]]*)(:\d{1,5})?([/?#][\x21-\x7e]*)?$/i.exec(text);
  if (!parts || text.length > MAX_URL_LENGTH)
    throw new AustreamError('CAMERA_NO_VIDEO', 'the device returns no usable RTSP address for its stream', {
      fix: 'update the camera’s firmware, or use its rtsp:// URL',
    });
  const [, scheme, deviceHost, port = '', rest = ''] = parts;
  const hosts = [deviceHost!, host].map((name) => name.replace(/^\[|\]$/g, '').toLowerCase());
  // A host name and an IP address cannot be compared.
  const otherHost = hosts.every((name) => isIP(name) > 0) && hosts[0] !== hosts[1] ? deviceHost! : null;
  return { url: `${scheme!.toLowerCase()}://${host}${port}${rest}`, otherHost };
}

/** `ONVIF profile main (1920×1080 h264), the device’s clock is right within 0.5 s`. */
export function describeResolved({ profile, clock, otherHost }: ResolvedCamera): string {
  const time =
    clock === null ? 'the device does not report its time' : `the device’s clock is ${describeClock(clock)}`;
  const nat =
    otherHost === null ? '' : `; it reports its own address as ${otherHost}, the configured one is used`;
  return `ONVIF profile ${describeProfile(profile)}, ${time}${nat}`;
}
