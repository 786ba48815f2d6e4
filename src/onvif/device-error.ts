import { AustreamError } from '../errors.ts';
import { type DeviceClock, describeClock } from './clock.ts';
import { printable } from './profile.ts';

/** What is known of a request that failed. */
export interface FailedRequest {
  readonly error: NodeJS.ErrnoException;
  /** The answer, if there was one: HTTP status and body. */
  readonly status: number;
  readonly xml: string;
  readonly clock: DeviceClock | null;
  /** A user name was sent. */
  readonly secured: boolean;
}

/** SOAP faults of devices that do not believe a request, in their makers' spellings; HTTP's own in the library's. */
const UNAUTHORIZED =
  /not\s?authorized|unauthorized|FailedAuthentication|InvalidSecurity|FailedCheck|authority failure|password.*(wrong|incorrect)/i;
const DIGEST = /^Digest authentication/;
/** Of a network, not of what came through it (HPE_…, ERR_…). */
const NETWORK = /^E[A-Z]+$/;
/** Devices that guard against replays accept no more. */
const HARMLESS_SKEW_MS = 5_000;

/** Makes an error for people out of what the library and the device said. */
export function deviceError({ error, status, xml, clock, secured }: FailedRequest): AustreamError {
  if (
    status === 401 ||
    status === 403 ||
    DIGEST.test(error.message) ||
    UNAUTHORIZED.test(xml.slice(0, 10_000))
  )
    return unauthorized(clock, secured);
  if (error.message === 'Network timeout' || NETWORK.test(error.code ?? ''))
    return new AustreamError(
      'CAMERA_UNREACHABLE',
      `the device does not answer its ONVIF requests: ${(error.code ?? 'time is up').toLowerCase()}`,
      {
        fix: 'check host and port of the URL (ONVIF is often at 80, 8000, 8080 or 8899), and switch ONVIF on in the camera',
      },
    );
  const fault = /^ONVIF SOAP Fault: (.*)$/s.exec(error.message)?.[1];
  if (fault !== undefined)
    return new AustreamError(
      'CAMERA_STREAM_FAILED',
      `the device refuses an ONVIF request: ${printable(fault)}`,
    );
  return new AustreamError(
    'CAMERA_NOT_ONVIF',
    `no ONVIF device answers at this address${status >= 400 ? ` (HTTP ${status})` : ''}`,
    {
      fix: 'check port and path of the URL, switch ONVIF on in the camera, or give its rtsp:// address itself',
      cause: error,
    },
  );
}

function unauthorized(clock: DeviceClock | null, secured: boolean): AustreamError {
  if (!secured)
    return new AustreamError('CAMERA_UNAUTHORIZED', 'the device asks for a user name and a password', {
      fix: 'set username and password of this camera; many makes have ONVIF users of their own',
    });
  const skewed = clock !== null && Math.abs(clock.offsetMs) - clock.errorMs > HARMLESS_SKEW_MS;
  const why = skewed
    ? `; its clock is ${describeClock(clock)}, which makes some devices reject right ones, too`
    : clock === null
      ? '; it does not tell its time, so that a wrong clock of it would make it reject right ones, too'
      : '';
  return new AustreamError('CAMERA_UNAUTHORIZED', `the device rejects the user name or password${why}`, {
    fix: `check username and password; many makes have ONVIF users of their own${why ? '; set the camera’s clock (NTP)' : ''}`,
  });
}
