import { rtspAddress } from '../../../src/camera/rtsp-address.ts';
import { AustreamError } from '../../../src/errors.ts';
import { parsePacket, parseSessionStats, unixAtZero } from '../../../src/ingest/child/clock/rtcp.ts';
import { FormatReader } from '../../../src/ingest/child/format-reader.ts';
import { parseGdp } from '../../../src/ingest/child/gdp.ts';
import { viewI420 } from '../../../src/ingest/child/i420.ts';
import { Authenticator } from '../../../src/ingest/child/rtsp/authenticator.ts';
import { RtspExchange } from '../../../src/ingest/child/rtsp/exchange.ts';
import { encodeMessage } from '../../../src/ingest/child/rtsp/message.ts';
import { RtspReader } from '../../../src/ingest/child/rtsp/message-reader.ts';
import { streamError } from '../../../src/ingest/child/stream-error.ts';
import type { FuzzTarget } from '../target.ts';

function gdp(type: number, payload: Buffer): Buffer {
  const packet = Buffer.alloc(62 + payload.length);
  packet[0] = 1;
  packet.writeUInt16BE(type, 4);
  packet.writeUInt32BE(payload.length, 6);
  packet.writeBigUInt64BE(40_000_000n, 10);
  payload.copy(packet, 62);
  return packet;
}

const caps = (colorimetry: string) =>
  `video/x-raw, format=(string)I420, width=(int)16, height=(int)8, framerate=(fraction)25/1, colorimetry=(string)${colorimetry}\0`;

/** GDP packets of the decoder, and the caps in them. */
export const gdpPackets: FuzzTarget = {
  name: 'GDP',
  seeds: [
    gdp(1, Buffer.alloc(16 * 8 * 1.5)),
    gdp(2, Buffer.from(caps('bt709'))),
    // Findings: names of Object.prototype were taken for colorimetries.
    gdp(2, Buffer.from(caps('constructor'))),
    gdp(2, Buffer.from(caps('2:toString:1:1'))),
  ],
  dictionary: ['width=(int)', 'framerate=(fraction)0/0', 'colorimetry=(string)', '4294967295', 'toString'],
  run(input) {
    const packet = parseGdp(input);
    const reader = new FormatReader();
    reader.read([input]);
    const { format } = reader;
    if (format === null) return;
    if (!['bt601', 'bt709'].includes(format.matrix)) throw new TypeError(`matrix ${format.matrix}`);
    if (!Number.isInteger(format.width) || !Number.isInteger(format.height)) throw new TypeError('fractions');
    if (packet?.type === 'buffer') viewI420(packet.payload, format);
  },
};

const stats =
  'application/x-rtp-session-stats, source-stats=(GValueArray)< "application/x-rtp-source-stats\\,\\ ssrc\\=\\(uint\\)1\\,\\ clock-rate\\=\\(int\\)90000\\,\\ have-sr\\=\\(boolean\\)true\\,\\ sr-ntptime\\=\\(guint64\\)16726386983013973000\\,\\ sr-rtptime\\=\\(uint\\)1000\\;" >;';
const depay = 'application/x-rtp-depayload-stats, clock_rate=(uint)90000, timestamp=(uint)91000;';
const probe =
  'chain   ******* (rtp_probe:sink) (1400 bytes, dts: none, pts: 0:00:01.000000000, duration: none)';

/** Sender reports and statistics of GStreamer, of which a camera chooses the values. */
export const senderReports: FuzzTarget = {
  name: 'sender reports',
  grammar: 'text',
  seeds: [Buffer.from([stats, depay, probe].join('\x01'))],
  dictionary: [
    'sr-ntptime=(guint64)18446744073709551615',
    'clock-rate=(int)0',
    'timestamp=(uint)4294967295',
    '\x01',
  ],
  run(input) {
    const [session = '', depayloader = '', last = ''] = input.toString().split('\x01');
    const packet = parsePacket(last, depayloader, last);
    const zero = packet && unixAtZero(packet, parseSessionStats(session));
    if (zero !== null && Number.isNaN(zero)) throw new TypeError('not a number');
  },
};

const sdp =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=ts-refclk:ntp=evil.test\r\na=control:rtsp://evil.test/1\r\n';
const responses = [
  `RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: ${sdp.length}\r\n\r\n${sdp}`,
  'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="a", nonce="b", qop="auth", algorithm=MD5\r\n\r\n',
  'RTSP/1.0 302 Found\r\nCSeq: 1\r\nLocation: rtsp://127.0.0.1/other\r\n\r\n',
  'RTSP/1.0 200 OK\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;client_port=1-2;source=10.0.0.1\r\n\r\n$\0\0\x04abcd',
];

/** The camera's side of RTSP, SDP included, as the proxy in front of GStreamer reads it. */
export const rtsp: FuzzTarget = {
  name: 'RTSP and SDP',
  grammar: 'text',
  seeds: responses.map((text) => Buffer.from(text, 'latin1')),
  dictionary: [
    'Content-Length: ',
    'Location: rtsp://evil.test/',
    'Transport: RTP/AVP/TCP',
    'multicast',
    '\r',
    '\r\n\r\n',
  ],
  run(input) {
    const exchange = new RtspExchange(
      rtspAddress('rtsp://127.0.0.1/')!,
      '127.0.0.1',
      new Authenticator('user', 'c4n4ry', 'digest'),
    );
    for (const method of ['DESCRIBE', 'SETUP'])
      exchange.toCamera({
        start: `${method} rtsp://127.0.0.1/ RTSP/1.0`,
        headers: [
          ['CSeq', '1'],
          ['Transport', 'RTP/AVP'],
        ],
        body: Buffer.alloc(0),
      });
    const reader = new RtspReader();
    for (let from = 0; from < input.length; from += 700)
      for (const part of reader.push(input.subarray(from, from + 700))) {
        if (!('message' in part)) continue;
        const passed = exchange.fromCamera(part.message);
        if (passed === null) continue;
        const bytes = encodeMessage('toClient' in passed ? passed.toClient : passed.toCamera);
        if (bytes.includes('c4n4ry')) throw new TypeError('the password itself is sent');
        const [again] = new RtspReader().push(bytes);
        if (
          !again ||
          !('message' in again) ||
          again.message.body.length !== ('toClient' in passed ? passed.toClient : passed.toCamera).body.length
        )
          throw new TypeError('GStreamer would read another message than the proxy');
      }
  },
};

/** Texts of GStreamer's bus, in which a camera's own texts are quoted. */
export const busMessages: FuzzTarget = {
  name: 'messages of GStreamer',
  grammar: 'text',
  seeds: [
    'Could not open resource for reading and writing.\x01rtspsrc: failed to connect. (Generic error)',
    'Unhandled error\x01Unauthorized (401), rtsp-status-code=(uint)401',
    'Your GStreamer installation is missing a plug-in.\x01missing decoder: H.265 (video/x-h265, encoding-name=(string)H265)',
  ].map((text) => Buffer.from(text)),
  dictionary: ['rtsp-status-code=(uint)', 'missing decoder: ', 'error resolving ', 'could not resolve'],
  run(input) {
    const [message = '', debug = ''] = input.toString().split('\x01');
    const error = streamError([{ type: 'error', message, debug }], 'rtsp://127.0.0.1/');
    if (!(error instanceof AustreamError)) throw new TypeError('no error');
  },
};
