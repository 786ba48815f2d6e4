import { describe, expect, test } from 'vitest';
import type { BusMessage } from '../../../src/ingest/child/gstreamer.ts';
import { streamError } from '../../../src/ingest/child/stream-error.ts';

const RTSPSRC = '/GstPipeline:pipeline0/GstRTSPSrc:src';
const errorMessage = (message: string, debug: string, details?: string): BusMessage => ({
  type: 'error',
  name: RTSPSRC,
  message,
  debug: `../gst/rtsp/gstrtspsrc.c(6895): gst_rtspsrc_send (): ${RTSPSRC}:\n${debug}`,
  ...(details === undefined ? {} : { details }),
});
const warningMessage = (debug: string): BusMessage => ({ type: 'warning', name: 'GstMessageWarning', debug });
const notLinked = errorMessage('Internal data stream error.', 'streaming stopped, reason not-linked (-1)');

/** Messages as GStreamer 1.22 posts them, with the expected code and text. */
const CASES: [string, BusMessage[], string, RegExp][] = [
  [
    'an unknown path',
    [
      errorMessage(
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
    [errorMessage('Unauthorized', 'Unauthorized (401)', 'details, rtsp-status-code=(uint)401;')],
    'CAMERA_UNAUTHORIZED',
    /rejects the user name or password/,
  ],
  [
    'a server error',
    [
      errorMessage(
        'Unhandled error',
        'Error (503): Service Unavailable',
        'details, rtsp-status-code=(uint)503;',
      ),
    ],
    'CAMERA_STREAM_FAILED',
    /RTSP status 503/,
  ],
  [
    'a closed port',
    [errorMessage('Could not open resource for reading and writing.', 'Failed to connect. (Generic error)')],
    'CAMERA_UNREACHABLE',
    /failed to connect/,
  ],
  [
    'audio only',
    [
      warningMessage(
        `gst/parse/grammar.y(853): gst_parse_no_more_pads (): ${RTSPSRC}:\nfailed delayed linking some pad of GstRTSPSrc named src to some pad of GstIdentity named rtp_probe`,
      ),
      notLinked,
    ],
    'CAMERA_NO_VIDEO',
    /offers no video stream/,
  ],
  [
    'a codec without a decoder, and the errors that follow',
    [
      errorMessage(
        'Your GStreamer installation is missing a plug-in.',
        'no suitable plugins found:\nMissing decoder: H.265 (Main Profile) (video/x-h265, profile=(string)main)',
      ),
      notLinked,
    ],
    'CAMERA_CODEC_MISSING',
    /no decoder for H\.265 is installed/,
  ],
  [
    'an unknown encoding',
    [
      errorMessage(
        'x',
        'no suitable plugins found:\nMissing decoder: application/x-rtp (application/x-rtp, media=(string)video, encoding-name=(string)X-NOBODY)',
      ),
    ],
    'CAMERA_CODEC_MISSING',
    /X-NOBODY/,
  ],
  [
    'UDP blocked by a firewall',
    [
      warningMessage(
        `Could not receive any UDP packets for 5.0000 seconds, maybe your firewall is blocking it.`,
      ),
    ],
    'CAMERA_NO_VIDEO',
    /by UDP/,
  ],
  [
    'any other error',
    [errorMessage('Internal data stream error.', 'streaming stopped, reason error (-5)')],
    'CAMERA_STREAM_FAILED',
    /reason error/,
  ],
  ['an end of stream without messages', [], 'CAMERA_ENDED', /ended the stream/],
];

describe('messages of the bus become an error', () => {
  test.each(CASES)('%s', (_, messages, code, text) => {
    const error = streamError(messages, 'rtsp://camera/live');
    expect(error.code).toBe(code);
    expect(error.message).toMatch(text);
    expect(error.canRetry).toBe(code !== 'CAMERA_ENDED');
  });
});
