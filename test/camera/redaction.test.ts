import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cameraRedactor } from '../../src/camera/redaction.ts';
import { redactor } from '../../src/redaction.ts';

/** GStreamer's messages around a URL. */
const CONTEXTS = [
  (url: string) => `Connecting to ${url}`,
  (url: string) => `gstrtspsrc.c(8336): /GstRTSPSrc:src:\nFailed to connect to "${url}". (Generic error)`,
  (url: string) => `Content-Base: ${url}/\r\nother`,
];
const secret = fc
  .string({ minLength: 3, maxLength: 30, unit: 'grapheme-ascii' })
  .filter((text) => text.trim().length > 2);

describe('the redactor', () => {
  test('removes a camera’s password from any text, in every encoding', () => {
    fc.assert(
      fc.property(secret, fc.constantFrom(...CONTEXTS), fc.boolean(), (password, context, inUrl) => {
        const credentials = `viewer:${encodeURIComponent(password)}`;
        const camera = inUrl
          ? { url: `rtsp://${credentials}@10.0.0.1/live` }
          : { url: 'rtsp://10.0.0.1/live', username: 'viewer', password };
        const redact = cameraRedactor(camera);
        // Skip passwords that also occur in the message itself.
        const harmless = context('rtsp://***@10.0.0.1/live');
        fc.pre(!harmless.includes(password));
        const base64 = Buffer.from(`viewer:${password}`).toString('base64');
        for (const text of [
          context(`rtsp://${credentials}@10.0.0.1/live`),
          `${context('')} ${password} ${encodeURIComponent(password)}`,
          JSON.stringify({ password }),
          `Authorization: Basic ${base64}`,
          `sent ${base64} to the camera`,
        ]) {
          expect(redact(text)).not.toContain(password);
          expect(redact(text)).not.toContain(base64);
        }
      }),
    );
  });

  test('without secrets redacts credentials in URLs and authorization headers', () => {
    const redact = redactor([]);
    expect(redact('open rtsp://admin:p@ss/w0rd@cam.local:554/live failed')).toBe(
      'open rtsp://***@cam.local:554/live failed',
    );
    expect(redact('Authorization: Digest username="admin", response="abc"\r\nCSeq: 3')).toBe(
      'Authorization: ***\r\nCSeq: 3',
    );
  });

  test.each([
    'rtsp://10.0.0.1/user=admin&password=hunter2&channel=1',
    'rtsp://10.0.0.1/user=admin_password=hunter2_channel=1_stream=0.sdp',
    'rtsp://10.0.0.1/live?user=a&PWD=hunter2',
  ])('redacts the password in a path or query: %s', (url) => {
    expect(cameraRedactor({ url })(`cannot open ${url}`)).toMatch(
      /^cannot open rtsp:\/\/10\.0\.0\.1\/.*=\*\*\*/,
    );
    expect(cameraRedactor({ url })(url)).not.toContain('hunter2');
  });

  test('leaves other text unchanged', () => {
    const redact = cameraRedactor({ url: 'rtsp://10.0.0.1/live' });
    for (const text of ['Not found (404)', 'rtsp://10.0.0.1/live', 'mail to a@b.c', 'no/slash@all'])
      expect(redact(text)).toBe(text);
  });
});
