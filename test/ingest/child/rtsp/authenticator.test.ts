import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Authenticator } from '../../../../src/ingest/child/rtsp/authenticator.ts';
import { parseChallenges } from '../../../../src/ingest/child/rtsp/challenge.ts';

/** The challenge of RFC 7616, 3.9.1. */
const RFC = (algorithm: string) =>
  `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`;

function parameters(authorization: string | null): Readonly<Record<string, string>> {
  return parseChallenges([authorization!])[0]!.parameters;
}

describe('a digest', () => {
  test.each([
    ['MD5', 'md5'],
    ['SHA-256', 'sha256'],
  ])('with %s is that of RFC 7616', (algorithm, hash) => {
    const authenticator = new Authenticator('Mufasa', 'Circle of Life', 'digest');
    expect(authenticator.accept([RFC(algorithm)])).toBe(true);
    const { response, cnonce, nc, nonce, opaque } = parameters(
      authenticator.authorization('GET', '/dir/index.html'),
    );
    const of = (text: string) => createHash(hash).update(text).digest('hex');
    const [user, request] = [of('Mufasa:http-auth@example.org:Circle of Life'), of('GET:/dir/index.html')];
    expect(response).toBe(of(`${user}:${nonce}:${nc}:${cnonce}:auth:${request}`));
    expect([nc, opaque]).toEqual(['00000001', 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS']);
  });

  test('without qop is that of RFC 2069', () => {
    const authenticator = new Authenticator('Mufasa', 'CircleOfLife', 'auto');
    authenticator.accept([
      'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc"',
    ]);
    // RFC 2069, 2.4, with the digest of its erratum 749.
    expect(parameters(authenticator.authorization('GET', '/dir/index.html')).response).toBe(
      '1949323746fe6a43ef61f9606e7febea',
    );
  });

  test('is preferred to Basic, and SHA-256 to MD5', () => {
    const authenticator = new Authenticator('viewer', 'secret', 'auto');
    authenticator.accept(['Basic realm="r"', `${RFC('MD5')}, ${RFC('SHA-256')}`]);
    expect(authenticator.sendsPassword).toBe(false);
    expect(parameters(authenticator.authorization('GET', '/')).algorithm).toBe('SHA-256');
  });

  test('cannot get header lines from a challenge or a user name', () => {
    const authenticator = new Authenticator('a"\r\nX: 1', 'secret', 'auto');
    authenticator.accept(['Digest realm="r\\"", nonce="n"']);
    const authorization = authenticator.authorization('GET', '/')!;
    expect(authorization).not.toMatch(/[\r\n]/);
    expect(parameters(authorization)).toMatchObject({ username: 'a"X: 1', realm: 'r"' });
  });
});

test('Basic sends UTF-8', () => {
  const authenticator = new Authenticator('prüfer', 'pässword', 'auto');
  authenticator.accept(['Basic realm="r"']);
  const encoded = /^Basic (\S+)$/.exec(authenticator.authorization('GET', '/')!)![1]!;
  expect(Buffer.from(encoded, 'base64').toString()).toBe('prüfer:pässword');
  expect(authenticator.sendsPassword).toBe(true);
});

test('without a user name nothing is answered', () => {
  const authenticator = new Authenticator(undefined, undefined, 'digest');
  expect(authenticator.accept(['Basic realm="r"'])).toBe(false);
  expect(authenticator.authorization('GET', '/')).toBeNull();
});
