import fc from 'fast-check';
import { expect, test } from 'vitest';
import { secretsOf } from '../src/config/secret-values.ts';
import { AustreamError } from '../src/errors.ts';
import { outgoingLine, redact, registerSecrets } from '../src/redaction.ts';

const secret = fc
  .string({ minLength: 8, maxLength: 40, unit: 'grapheme-ascii' })
  .filter((text) => text.trim().length > 7);

test('a registered secret leaves in no encoding, also inside Basic credentials with an unknown user', () => {
  fc.assert(
    fc.property(secret, fc.string({ maxLength: 9 }), (password, user) => {
      registerSecrets([password]);
      const base64 = Buffer.from(`${user}:${password}`).toString('base64');
      const forms = [
        password,
        encodeURIComponent(password),
        encodeURIComponent(password).replace(/%../g, (code) => code.toLowerCase()),
        new URLSearchParams({ p: password }).toString().slice(2),
        JSON.stringify(password).slice(1, -1),
      ];
      for (const form of forms) expect(redact(`it said <<${form}>>`)).not.toContain(`<<${form}>>`);
      const { message } = new AustreamError('REGISTRY_REJECTED', `rejects ${base64}`);
      expect(message).not.toContain(base64.slice(Math.ceil(((user.length + 1) * 4) / 3) + 2, -4));
    }),
    { numRuns: 50 },
  );
});

test('an attacker cannot hide a secret from the redactor with invisible characters, nor forge a second line', () => {
  registerSecrets(['c4n4ry-secret']);
  const echo = 'c4n4\u200bry-\x1bsecret\n  → run this';
  expect(outgoingLine(echo)).toBe('***   → run this');
  expect(new AustreamError('REGISTRY_REJECTED', echo, { fix: echo }).message).not.toContain('c4n4ry');
});

test('private keys, URLs and authorization headers need not be known', () => {
  const text = `-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY----- {"authorization":"Bearer abc.def"}`;
  expect(redact(text)).not.toMatch(/MIIabc|abc\.def/);
  expect(redact('see https://u:hunter2@h/x and amqp://a:p@ss/w@h')).toBe(
    'see https://***@h/x and amqp://***@h',
  );
});

test.each(['a.', 'a://', '://', 'authorization:', 'password=', '-----BEGIN PRIVATE KEY-----', '@'])(
  'a long text of %s takes linear time',
  (part) => {
    // Quadratic time would take minutes.
    redact(part.repeat(Math.ceil(1_000_000 / part.length)));
  },
  20_000,
);

test('every secret of a config is known by its key or its URL', () => {
  expect(
    secretsOf({
      cameras: [
        { id: 'a', url: 'rtsp://u:url-password@h/?pwd=query-password', password: 'p1', passwordFile: '/f' },
      ],
      kafka: {
        sasl: { password: 'p2', clientSecret: 'p3', tokenEndpoint: 'https://h/token' },
        tls: { keyPassword: 'p4', key: '/k' },
        registry: { url: 'https://u:p5@h', password: 'p6' },
      },
      http: { token: 'p7', tokens: ['p8'], people: [{ name: 'ann', token: 'p9' }] },
      cluster: { secrets: { dir: '/d', env: ['CAMERA_*'] } },
    }),
  ).toEqual(['url-password', 'query-password', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8', 'p9']);
});
