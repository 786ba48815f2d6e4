import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cameraRedactor, redactor, splitCredentials } from '../../src/camera/credentials.ts';
import { cameraOptions } from '../../src/camera/options.ts';

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

describe('credentials in a URL', () => {
  test.each([
    ['rtsp://cam/live', { url: 'rtsp://cam/live' }],
    ['rtsp://u:p@cam/live', { url: 'rtsp://cam/live', username: 'u', password: 'p' }],
    ['rtsps://u@cam:322/', { url: 'rtsps://cam:322/', username: 'u' }],
    ['rtsp://u:a%40b@cam/', { url: 'rtsp://cam/', username: 'u', password: 'a@b' }],
    ['rtsp://u:100%@cam/', { url: 'rtsp://cam/', username: 'u', password: '100%' }],
    ['rtsp://cam/path?at=a@b', { url: 'rtsp://cam/path?at=a@b' }],
  ])('%s', (url, expected) => {
    expect(splitCredentials(url)).toEqual(expected);
  });
});

describe('an unencoded password in a URL', () => {
  const issues = (url: string) =>
    cameraOptions.safeParse({ id: 'a', url }).error?.issues.map(({ message }) => message) ?? [];

  test.each([
    'rtsp://admin:pa/ss@10.0.0.1/live',
    'rtsps://admin:/pass@10.0.0.1/live',
    'rtsp://admin:pass?@10.0.0.1:554/live',
    'rtsp://admin:pa#ss@10.0.0.1/live',
    'rtsp://admin:12345#@10.0.0.1/live',
    'rtsp://admin:123456/@10.0.0.1/live',
    'rtsp://ad:min:a/b@10.0.0.1/live',
    'onvif://admin:12#ss@10.0.0.1',
  ])('is rejected with a fix that does not show it: %s', (url) => {
    expect(issues(url)).toEqual([
      'write / ? # in the password as %2F %3F %23, or move the password from the URL to `password`',
    ]);
  });

  test.each([
    'rtsp://admin:pa%2Fss@10.0.0.1/live',
    'rtsp://admin:p@ss@10.0.0.1/live?a=b#c',
    'rtsp://10.0.0.1:554/mail=a@b.c',
    'rtsp://[fe80::1]/mail=a@b.c',
    'rtsp://[fe80::1]:554/mail=a@b.c',
    'rtsp://10.0.0.1/a:b/c@d',
    'rtsp://admin:${file:/run/secrets/admin}@10.0.0.1/live',
    'rtsp://10.0.0.1:${PORT}/mail=a@b.c',
    'file:///a:b/c@d.mp4',
  ])('is not suspected in a valid URL: %s', (url) => {
    expect(issues(url)).toEqual([]);
  });
});
