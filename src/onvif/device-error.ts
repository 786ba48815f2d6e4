import { AustreamError } from '../errors.ts';
import { type DeviceClock, describeClock } from './clock.ts';
import { deviceText } from './profile.ts';

/** A failed request, its response, and what is known about the device. */
export interface FailedRequest {
  readonly error: NodeJS.ErrnoException;
  /** HTTP status and body of the response; 0 and empty without one. */
  readonly status: number;
  readonly xml: string;
  readonly clock: DeviceClock | null;
  /** The request had a user name. */
  readonly hasUser: boolean;
}

/** SOAP faults for failed authentication, in the spellings of different makers. */
const UNAUTHORIZED =
  /not\s?authorized|unauthorized|FailedAuthentication|InvalidSecurity|FailedCheck|authority failure|password.*(wrong|incorrect)/i;
/** The library's error for failed HTTP digest authentication. */
const DIGEST = /^Digest authentication/;
/** Codes of network errors, as opposed to errors in the response (HPE_…, ERR_…). */
const NETWORK = /^E[A-Z]+$/;
/** A smaller clock error does not explain a rejection: replay protection tolerates more. */
const HARMLESS_SKEW_MS = 5_000;

/** Makes an AustreamError from the library's error and the device's response. */
export function deviceError({ error, status, xml, clock, hasUser }: FailedRequest): AustreamError {
  if (
    status === 401 ||
    status === 403 ||
    DIGEST.test(error.message) ||
    UNAUTHORIZED.test(xml.slice(0, 10_000))
  )
    return unauthorized(clock, hasUser);
  if (error.message === 'Network timeout' || NETWORK.test(error.code ?? ''))
    return new AustreamError(
      'CAMERA_UNREACHABLE',
      `the device does not respond to ONVIF requests: ${(error.code ?? 'timeout').toLowerCase()}`,
      {
        fix: 'check host and port of the URL (ONVIF often uses 80, 8000, 8080 or 8899), and switch ONVIF on in the camera',
      },
    );
  const fault = /^ONVIF SOAP Fault: (.*)$/s.exec(error.message)?.[1];
  if (fault !== undefined)
    return new AustreamError(
      'CAMERA_STREAM_FAILED',
      `the device rejects an ONVIF request: ${deviceText(fault)}`,
    );
  return new AustreamError(
    'CAMERA_NOT_ONVIF',
    `no ONVIF device responds at this address${status >= 400 ? ` (HTTP ${status})` : ''}`,
    {
      fix: 'check port and path of the URL, switch ONVIF on in the camera, or use its rtsp:// URL',
      cause: error,
    },
  );
}

function unauthorized(clock: DeviceClock | null, hasUser: boolean): AustreamError {
  if (!hasUser)
    return new AustreamError('CAMERA_UNAUTHORIZED', 'the device asks for a user name and password', {
      fix: 'set username and password of this camera; many makes have separate ONVIF users',
    });
  const skewed = clock !== null && Math.abs(clock.offsetMs) - clock.errorMs > HARMLESS_SKEW_MS;
  const reason = skewed
    ? `; its clock is ${describeClock(clock)}, which makes some devices reject correct ones`
    : clock === null
      ? '; it does not report its time: a wrong clock makes some devices reject correct ones'
      : '';
  return new AustreamError('CAMERA_UNAUTHORIZED', `the device rejects the user name or password${reason}`, {
    fix: `check username and password; many makes have separate ONVIF users${reason ? '; set the camera’s clock (NTP)' : ''}`,
  });
}
