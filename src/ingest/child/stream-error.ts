import { AustreamError } from '../../errors.ts';
import { printable } from '../../printable.ts';
import type { BusMessage } from './gstreamer.ts';

/**
 * Turns the messages of GStreamer's bus (oldest first) into one error. It matches the messages' text in the C locale,
 * because gstreamer-superficial does not pass on error domains and codes. The caller redacts credentials.
 */
export function streamError(messages: readonly BusMessage[], url: string): AustreamError {
  const error = messages.find((message) => message.type === 'error');
  const text = messages
    .filter(({ type }) => type === 'error' || type === 'warning' || type === 'element')
    .map(({ message, debug, details, name }) => [name, message, debug, details].filter(Boolean).join(' '))
    .join('\n');
  const camera = url.startsWith('file:') ? 'the file' : 'the camera';
  const rtspStatus = Number(/rtsp-status-code=\(uint\)(\d+)/.exec(text)?.[1] ?? 0);
  if (rtspStatus === 401 || rtspStatus === 403 || /unauthorized|not authorized/i.test(text))
    return new AustreamError('CAMERA_UNAUTHORIZED', `${camera} rejects the user name or password`, {
      fix: 'set username and password of this camera in the config',
    });
  if (rtspStatus === 404 || rtspStatus === 410 || rtspStatus === 454)
    return new AustreamError(
      'CAMERA_NOT_FOUND',
      `the server has no stream at this path (RTSP ${rtspStatus})`,
      { fix: 'check the path in the URL: each make of camera has its own' },
    );
  if (rtspStatus >= 400)
    return new AustreamError('CAMERA_STREAM_FAILED', `${camera} answers with RTSP status ${rtspStatus}`);
  if (/certificate|tls/i.test(text))
    return new AustreamError('CAMERA_UNREACHABLE', `no secure connection: ${firstLine(error)}`);
  if (/could not receive any UDP packets/i.test(text))
    return new AustreamError('CAMERA_NO_VIDEO', `${camera} plays, but no packets arrive by UDP`, {
      fix: 'set transport: tcp for this camera, or open the firewall for UDP',
    });
  const missing = /missing decoder: ([^\n]*)/i.exec(text)?.[1];
  if (missing !== undefined)
    return new AustreamError('CAMERA_CODEC_MISSING', `no decoder for ${codecName(missing)} is installed`, {
      fix: 'switch the camera to H.264, H.265 or MJPEG, or install the GStreamer plugin that decodes it',
    });
  if (
    /failed delayed linking|does not contain any (video|supported)|no (valid|supported) (streams|stream)/i.test(
      text,
    )
  )
    return new AustreamError('CAMERA_NO_VIDEO', `${camera} offers no video stream`, {
      fix: 'check that the URL is that of a video stream',
    });
  if (
    /could not determine type|appears to be a text file|file too small|contains no data|is not (a|an) /i.test(
      text,
    )
  )
    return new AustreamError('CAMERA_NO_VIDEO', `${camera} is not a video or image that GStreamer can read`);
  if (
    /failed to connect|could not (resolve|open)|no such (file|device)|connection refused|timed out|cannot identify/i.test(
      text,
    )
  )
    return new AustreamError('CAMERA_UNREACHABLE', `${camera} cannot be reached: ${reason(text)}`, {
      fix: 'check host and port of the URL, and that no firewall blocks them',
    });
  if (error === undefined) return new AustreamError('CAMERA_ENDED', `${camera} ended the stream`);
  return new AustreamError('CAMERA_STREAM_FAILED', `the stream broke off: ${firstLine(error)}`);
}

function firstLine(error: BusMessage | undefined): string {
  const line = error?.debug?.split('\n').at(-1) ?? error?.message ?? 'no reason given';
  return printable(line.replace(/\.$/, ''));
}

function reason(text: string): string {
  return (
    /(connection refused|timed? ?out|no route to host|network is unreachable|could not resolve[^.\n]*|error resolving[^.\n]*|no such (?:file|device)[^.\n]*|failed to connect)/i
      .exec(text)?.[1]
      ?.toLowerCase() ?? 'it does not answer'
  );
}

/** `H.265 (Main Profile) (video/x-h265, …)`, or `application/x-rtp (…, encoding-name=(string)X, …)`. */
function codecName(missing: string): string {
  return (
    /encoding-name=\(string\)([\w-]+)/.exec(missing)?.[1] ?? printable(missing.split(' (')[0]!.trim(), 64)
  );
}
