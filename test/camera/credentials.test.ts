import { describe, expect, test } from 'vitest';
import { cameraUrlIssue, splitCredentials } from '../../src/camera/credentials.ts';
import { cameraOptions } from '../../src/camera/options.ts';

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

test('a URL made of colons and slashes is judged in linear time', () => {
  // As one regular expression this took hours (CWE-1333).
  expect(cameraUrlIssue(`rtsp://${'a:'.repeat(100_000)}${'/'.repeat(100_000)}`)).toBeNull();
  expect(cameraUrlIssue(`rtsp://${'a:'.repeat(100_000)}${'/'.repeat(100_000)}@`)).not.toBeNull();
});

test.each(['rtsp://10.0.0.1/\r\nCSeq: 1', 'rtsp://10.0.0.1/\u2028x', 'onvif://10.0.0.1/\0'])(
  'a URL or user name cannot begin another header: %j',
  (text) => {
    for (const camera of [{ url: text }, { url: 'rtsp://10.0.0.1/', username: text }])
      expect(cameraOptions.safeParse({ id: 'a', ...camera }).error?.issues[0]?.message).toBe(
        'must not contain line breaks or control characters',
      );
  },
);
