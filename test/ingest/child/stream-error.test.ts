import { describe, expect, test } from 'vitest';
import type { BusMessage } from '../../../src/ingest/child/gstreamer.ts';
import { streamError } from '../../../src/ingest/child/stream-error.ts';

const RTSPSRC = '/GstPipeline:pipeline0/GstRTSPSrc:src';
const error = (message: string, debug: string, details?: string): BusMessage => ({
  type: 'error',
  name: RTSPSRC,
  message,
  debug: `../gst/rtsp/gstrtspsrc.c(6895): gst_rtspsrc_send (): ${RTSPSRC}:\n${debug}`,
  ...(details === undefined ? {} : { details }),
});
const warning = (debug: string): BusMessage => ({ type: 'warning', name: 'GstMessageWarning', debug });
const notLinked = error('Internal data stream error.', 'streaming stopped, reason not-linked (-1)');

/** Messages as GStreamer 1.22 posts them. */
const SEEN: [string, BusMessage[], string, RegExp][] = [
  [
    'a path that is not there',
    [
      error(
        'Not found',
        'Not Found (404)',
        'details, rtsp-status-code=(uint)404, rtsp-status-reason=(string)"Not\\ Found";',
      ),
    ],
    'CAMERA_NOT_FOUND',
    /404/,
  ],
  [
    'a wrong password',
    [error('Unauthorized', 'Unauthorized (401)', 'details, rtsp-status-code=(uint)401;')],
    'CAMERA_UNAUTHORIZED',
    /rejects the user name or password/,
  ],
  [
    'a server out of order',
    [error('Unhandled error', 'Error (503): Service Unavailable', 'details, rtsp-status-code=(uint)503;')],
    'CAMERA_STREAM_FAILED',
    /RTSP status 503/,
  ],
  [
    'a port where nobody listens',
    [error('Could not open resource for reading and writing.', 'Failed to connect. (Generic error)')],
    'CAMERA_UNREACHABLE',
    /failed to connect/,
  ],
  [
    'sound only',
    [
      warning(
        `gst/parse/grammar.y(853): gst_parse_no_more_pads (): ${RTSPSRC}:\nfailed delayed linking some pad of GstRTSPSrc named src to some pad of GstIdentity named rtp_probe`,
      ),
      notLinked,
    ],
    'CAMERA_NO_VIDEO',
    /offers no video stream/,
  ],
  [
    'a codec without a decoder, with what follows from it',
    [
      error(
        'Your GStreamer installation is missing a plug-in.',
        'no suitable plugins found:\nMissing decoder: H.265 (Main Profile) (video/x-h265, profile=(string)main)',
      ),
      notLinked,
    ],
    'CAMERA_CODEC_MISSING',
    /no decoder for H\.265 is installed/,
  ],
  [
    'an encoding that nobody knows',
    [
      error(
        'x',
        'no suitable plugins found:\nMissing decoder: application/x-rtp (application/x-rtp, media=(string)video, encoding-name=(string)X-NOBODY)',
      ),
    ],
    'CAMERA_CODEC_MISSING',
    /X-NOBODY/,
  ],
  [
    'a firewall',
    [warning(`Could not receive any UDP packets for 5.0000 seconds, maybe your firewall is blocking it.`)],
    'CAMERA_NO_VIDEO',
    /by UDP/,
  ],
  [
    'anything else',
    [error('Internal data stream error.', 'streaming stopped, reason error (-5)')],
    'CAMERA_STREAM_FAILED',
    /reason error/,
  ],
  ['an end without a word', [], 'CAMERA_ENDED', /ended the stream/],
];

describe('what the bus says is put into words', () => {
  test.each(SEEN)('%s', (_, messages, code, text) => {
    const explained = streamError(messages, 'rtsp://camera/live');
    expect(explained.code).toBe(code);
    expect(explained.message).toMatch(text);
    expect(explained.canRetry).toBe(code !== 'CAMERA_ENDED');
  });
});
