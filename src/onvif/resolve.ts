import { isIP } from 'node:net';
import { splitCredentials } from '../camera/credentials.ts';
import { parseDeviceUrl } from '../camera/onvif-address.ts';
import type { CameraOptions } from '../camera/options.ts';
import { AustreamError } from '../errors.ts';
import { OnvifClient } from './client.ts';
import { type DeviceClock, describeClock } from './clock.ts';
import { chooseProfile, describeProfile, type MediaProfile } from './profile.ts';

/** What a device said of the stream to take. */
export interface ResolvedCamera {
  /** The camera with the stream's own URL, and the credentials beside it. */
  readonly camera: CameraOptions;
  readonly profile: MediaProfile;
  readonly clock: DeviceClock | null;
  /** The address that the device gave as its own where that is another one than the user's: it is behind NAT. */
  readonly otherHost: string | null;
}

/** All requests together: less than the host process waits for a sign of life. */
const RESOLVE_MS = 8_000;
const LONGEST_URL = 2_048;

/**
 * Asks an `onvif://` camera for its stream, its profile and its clock. Throws CAMERA_UNREACHABLE, CAMERA_UNAUTHORIZED,
 * CAMERA_NOT_ONVIF, CAMERA_NOT_FOUND, CAMERA_NO_VIDEO, CAMERA_STREAM_FAILED.
 */
export function resolveCamera(camera: CameraOptions): Promise<ResolvedCamera> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(
          new AustreamError(
            'CAMERA_UNREACHABLE',
            `the device takes more than ${RESOLVE_MS / 1000} s for its ONVIF answers`,
            { fix: 'check the network, or give the camera’s rtsp:// address itself' },
          ),
        ),
      RESOLVE_MS,
    );
    ask(camera)
      .finally(() => clearTimeout(timer))
      .then(resolve, reject);
  });
}

async function ask(camera: CameraOptions): Promise<ResolvedCamera> {
  const { url, ...inUrl } = splitCredentials(camera.url);
  const address = parseDeviceUrl(url);
  if (typeof address === 'string') throw new AustreamError('ARGUMENT_INVALID', `${url} ${address}`);
  const credentials = {
    username: camera.username ?? inUrl.username,
    password: camera.password ?? inUrl.password,
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
 * The stream's URL with the host that the user gave: a device behind NAT names an address that leads nowhere, and a
 * device that is not what it seems must not choose who else is sent the password. Port, path and query are the
 * device's; credentials that it put there are left out.
 */
export function streamUrl(given: unknown, host: string): { url: string; otherHost: string | null } {
  const text = typeof given === 'string' ? splitCredentials(given.trim()).url : '';
  const parts = /^(rtsps?):\/\/(\[[^\]/?#]*\]|[^:/?#[\]]*)(:\d{1,5})?([/?#][\x21-\x7e]*)?$/i.exec(text);
  if (!parts || text.length > LONGEST_URL)
    throw new AustreamError('CAMERA_NO_VIDEO', 'the device gives no usable RTSP address for its stream', {
      fix: 'update the camera’s firmware, or give its rtsp:// address itself',
    });
  const [, scheme, named, port = '', rest = ''] = parts;
  const both = [named!, host].map((each) => each.replace(/^\[|\]$/g, '').toLowerCase());
  // A name of one and an address of the other say nothing.
  const otherHost = both.every((each) => isIP(each) > 0) && both[0] !== both[1] ? named! : null;
  return { url: `${scheme!.toLowerCase()}://${host}${port}${rest}`, otherHost };
}

/** `ONVIF profile main (1920×1080 h264), the device’s clock is right within 0.5 s`. */
export function describeResolved({ profile, clock, otherHost }: ResolvedCamera): string {
  const time =
    clock === null ? 'the device does not tell its time' : `the device’s clock is ${describeClock(clock)}`;
  const nat = otherHost === null ? '' : `; it calls itself ${otherHost}, and is reached as the config says`;
  return `ONVIF profile ${describeProfile(profile)}, ${time}${nat}`;
}
