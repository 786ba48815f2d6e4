import { splitCredentials } from '../../../camera/credentials.ts';
import { type RtspAddress, rtspAddress } from '../../../camera/rtsp-address.ts';
import { AustreamError } from '../../../errors.ts';
import { headerValues, type RtspMessage, statusOf, withBody, withHeader } from './message.ts';

/**
 * Attributes of an SDP that name a clock (RFC 7273): GStreamer's jitter buffer would ask an NTP server of the camera's
 * choice, or start its PTP helper.
 */
const REFERENCE_CLOCK = /^a=(?:ts-refclk|mediaclk):[^\r\n]*(?:\r?\n|$)/gim;

/**
 * What rtspsrc may see of a camera's response, so that the camera chooses no host that rtspsrc connects or sends to.
 * `peer`: the IP address that the camera is connected by. Throws CAMERA_UNTRUSTED.
 */
export function allowedResponse(
  request: RtspMessage,
  response: RtspMessage,
  camera: RtspAddress,
  peer: string,
): RtspMessage {
  const status = statusOf(response)!;
  if (status >= 300 && status < 400) return ownRedirect(response, camera, peer);
  if (request.start.startsWith('SETUP ') && status < 300) return ownTransport(request, response, peer);
  if (request.start.startsWith('DESCRIBE ') && response.body.length > 0)
    return withBody(
      response,
      Buffer.from(response.body.toString('latin1').replace(REFERENCE_CLOCK, ''), 'latin1'),
    );
  return response;
}

/** A redirect within the configured host and port may be followed; any other one is refused. */
function ownRedirect(response: RtspMessage, camera: RtspAddress, peer: string): RtspMessage {
  const location = splitCredentials(headerValues(response, 'Location')[0] ?? '').url;
  const target = location.startsWith('/') ? camera : rtspAddress(location);
  const path = location.replace(/^rtsps?:\/\/[^/?#]*/i, '');
  if (target && [camera.host, peer].includes(target.host) && target.port === camera.port)
    return withHeader(response, 'Location', `rtsp://${camera.authority}${path}`);
  const host = target === null ? 'an address that is not RTSP' : `${target.host}, port ${target.port}`;
  throw new AustreamError('CAMERA_UNTRUSTED', `the camera redirects to ${host}: redirects are not followed`, {
    fix: 'if the stream has moved there, write the new address in the camera’s url',
  });
}

/** The camera may not choose where RTP and RTCP packets go to: RTSP connection, or UDP between it and this host. */
function ownTransport(request: RtspMessage, response: RtspMessage, peer: string): RtspMessage {
  const [asked, given] = [request, response].map((message) => headerValues(message, 'Transport')[0] ?? '');
  const interleaved = isInterleaved(asked!);
  if (isInterleaved(given!) !== interleaved || /(^|;)\s*multicast/i.test(given!))
    throw new AustreamError(
      'CAMERA_UNTRUSTED',
      `the camera sends its stream by another transport than the one that was asked for: ${given}`,
      { fix: 'switch multicast off in the camera’s settings, or set transport: tcp for this camera' },
    );
  const fields = given!.split(';').filter((field) => !/^\s*(source|destination)\s*=/i.test(field));
  return withHeader(response, 'Transport', [...fields, ...(interleaved ? [] : [`source=${peer}`])].join(';'));
}

function isInterleaved(transport: string): boolean {
  return /^RTP\/AVPF?\/TCP\b|^RTP\/SAVPF?\/TCP\b|;\s*interleaved=/i.test(transport);
}
