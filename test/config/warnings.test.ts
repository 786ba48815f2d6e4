import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/schema.ts';
import { configWarnings } from '../../src/config/warnings.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-warnings-'));
afterAll(() => rmSync(folder, { recursive: true }));
const ENV = { SECRET: 'c4n4ry-warning' };

function warnings(
  config: object,
  { mode = 0o600, env = {} }: { mode?: number; env?: NodeJS.ProcessEnv } = {},
) {
  const file = join(folder, 'austream.yaml');
  writeFileSync(file, stringify({ kafka: { embedded: true }, ...config }));
  chmodSync(file, mode);
  const found = configWarnings(loadConfig(file, ENV), file, env);
  expect(JSON.stringify(found)).not.toContain('c4n4ry');
  return found.map(({ path, message }) => `${path} ${message}`);
}

const brokers = (address: string, rest: object = {}) => ({ kafka: { brokers: [address], ...rest } });
const PLAIN = { mechanism: 'PLAIN', username: 'u', password: '${SECRET}' };
const SCRAM = { ...PLAIN, mechanism: 'SCRAM-SHA-512' };
const oauth = (tokenEndpoint: string) => ({
  mechanism: 'OAUTHBEARER',
  tokenEndpoint,
  clientId: 'u',
  clientSecret: '${SECRET}',
});
const registry = (url: string, rest: object = { username: 'u', password: '${SECRET}' }) =>
  brokers('127.0.0.1:9092', { registry: { url, ...rest } });
const camera = (rest: object) => ({ cameras: [{ id: 'a', url: 'rtsp://192.0.2.7/', ...rest }] });
const token = 'c4n4ry-token-of-the-page';

describe('a warning', () => {
  test.each([
    [
      'SASL PLAIN without TLS',
      brokers('kafka:9092', { sasl: PLAIN }),
      'kafka.sasl sends the password without TLS',
    ],
    [
      'one broker of several',
      { kafka: { brokers: ['127.0.0.1:1', 'kafka:2'], sasl: PLAIN } },
      'kafka.sasl sends',
    ],
    ['TLS that is off', brokers('kafka:1', { sasl: PLAIN, tls: { enabled: false } }), 'kafka.sasl sends'],
    ['a live page that is open to everyone', { dashboard: { open: true } }, 'dashboard.open is true'],
    ['SCRAM without TLS', brokers('192.0.2.1:9092', { sasl: SCRAM }), 'kafka.sasl is used without TLS'],
    [
      'a token without TLS',
      brokers('kafka:1', { sasl: oauth('https://h/t') }),
      'kafka.sasl sends an access token',
    ],
    [
      'a token endpoint over plain HTTP',
      brokers('kafka:1', { sasl: oauth('http://h/t'), tls: {} }),
      'kafka.sasl.tokenEndpoint gets the client secret over plain HTTP',
    ],
    ['unverified certificates', brokers('kafka:1', { tls: { verify: false } }), 'kafka.tls.verify is false'],
    ['a registry over plain HTTP', registry('http://schemas:8081'), 'kafka.registry.url gets the password'],
    [
      'a listener on the network',
      { http: { host: '0.0.0.0', port: 8080 } },
      'http.host is 0.0.0.0, without TLS: other',
    ],
    ['IPv6', { http: { host: '::', port: 8080, token } }, 'http.host is ::, without TLS: who listens'],
    [
      'Basic',
      camera({ username: 'u', password: '${SECRET}' }),
      'cameras a: the password is sent in clear text',
    ],
    ['Basic, from a file', camera({ passwordFile: '/nowhere' }), 'cameras a: the password'],
    [
      'a URL',
      camera({ url: 'rtsps://u:c4n4ry@192.0.2.7/' }),
      'cameras[0].url a password is written in the URL',
    ],
    [
      'a query',
      camera({ url: 'rtsp://192.0.2.7/?user=u&pwd=c4n4ry' }),
      'cameras[0].url a password is written',
    ],
    [
      'a token endpoint with a password in its URL',
      brokers('kafka:1', { sasl: oauth('https://u:c4n4ry@h/t'), tls: {} }),
      'kafka.sasl.tokenEndpoint a password is written',
    ],
  ])('is given for %s', (_, config, expected) => {
    const found = warnings(config);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  test.each([
    ['loopback brokers', { kafka: { brokers: ['127.0.0.1:9092', 'localhost:1', '[::1]:2'], sasl: PLAIN } }],
    ['a loopback token endpoint', brokers('localhost:1', { sasl: oauth('http://127.0.0.1/t') })],
    ['brokers with TLS', brokers('kafka:9093', { sasl: PLAIN, tls: {} })],
    ['a registry with TLS', registry('https://schemas')],
    ['a loopback registry', registry('http://[::1]:8081')],
    ['a registry without a password', registry('http://schemas:8081', {})],
    ['a loopback listener', { http: { host: '127.0.0.1', port: 8080, token } }],
    ['no listener', { http: { host: '0.0.0.0' } }],
    ['a listener behind TLS', { http: { host: '0.0.0.0', port: 8080, behindTls: true } }],
    [
      'a camera that is never asked for Basic',
      camera({ username: 'u', password: '${SECRET}', auth: 'digest' }),
    ],
    ['a camera with TLS', camera({ url: 'rtsps://192.0.2.7/', username: 'u', password: '${SECRET}' })],
    ['a loopback camera', camera({ url: 'rtsp://127.0.0.1/', username: 'u', password: '${SECRET}' })],
    ['a camera without a password', camera({})],
    ['a reference in a URL', camera({ url: 'rtsps://u:${SECRET}@192.0.2.7/' })],
  ])('is not given for %s', (_, config) => {
    expect(warnings(config)).toEqual([]);
  });

  test('names who else can read a secret', () => {
    const secret = { http: { token } };
    expect(warnings(secret, { mode: 0o640 })).toEqual([]);
    expect(warnings(secret, { mode: 0o644 })[0]).toMatch(
      /^http\.token is a secret, and every user .*austream\.yaml$/,
    );
    expect(warnings({ http: { token: '${SECRET}-16-characters' } }, { mode: 0o644 })).toHaveLength(1);
    expect(warnings({}, { mode: 0o644 })).toEqual([]);
    const dir = join(folder, 'secrets');
    mkdirSync(dir);
    for (const [name, mode] of [
      ['open', 0o644],
      ['closed', 0o640],
    ] as const) {
      writeFileSync(join(dir, name), 'x', { mode });
      chmodSync(join(dir, name), mode);
    }
    const files = (name: string) => camera({ url: 'rtsps://192.0.2.7/', passwordFile: join(dir, name) });
    expect(warnings(files('open'))[0]).toMatch(
      /^cameras\[0\]\.passwordFile can be read by every user .*open$/,
    );
    expect(warnings(files('closed'))).toEqual([]);
    expect(warnings({ cluster: { secrets: { dir } } })[0]).toMatch(
      /^cluster\.secrets\.dir can be read .*open$/,
    );
    const person = { name: 'Ann', role: 'view', tokenFile: join(dir, 'open') };
    expect(warnings({ dashboard: { users: [person] } })[0]).toMatch(
      /^dashboard\.users\[0\]\.tokenFile can be read/,
    );
  });

  test('is given where cameras of the topic may use the secrets of austream itself', () => {
    const dir = join(folder, 'all');
    const sasl = { kafka: { brokers: ['127.0.0.1:1'], sasl: PLAIN } };
    const own = { cluster: { secrets: { dir: folder } } };
    expect(warnings(own)[0]).toMatch(
      /^cluster\.secrets\.dir allows cameras of the topic .*the config \(.*austream\.yaml\)/,
    );
    const key = {
      kafka: { brokers: ['127.0.0.1:1'], tls: { certificate: '/c', key: join(dir, 'kafka.key') } },
    };
    expect(warnings({ ...key, cluster: { secrets: { dir } } })[0]).toContain('kafka.tls.key');
    expect(warnings({ ...sasl, cluster: { secrets: { env: ['SEC*'] } } })[0]).toBe(
      'cluster.secrets.env allows cameras of the topic to use a secret of austream itself: SECRET',
    );
    expect(warnings({ ...sasl, cluster: { secrets: { env: ['CAMERA_*'], dir } } })).toEqual([]);
  });

  test('is given for an environment that switches TLS off', () => {
    expect(warnings({}, { env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } })[0]).toContain(
      'no certificate is checked',
    );
    const otel = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=c4n4ry',
    };
    expect(warnings({}, { env: otel })[0]).toContain('OTEL_EXPORTER_OTLP_ENDPOINT gets the headers');
  });

  test('names a few of many cameras', () => {
    const cameras = Array.from({ length: 300 }, (_, index) => ({
      ...{ id: `c${index}`, url: 'rtsp://192.0.2.7/', username: 'u', password: '${SECRET}' },
    }));
    expect(warnings({ cameras })).toEqual([
      expect.stringContaining('c0, c1, c2, c3, c4 and 295 more: the password'),
    ]);
  });
});

test('a file beside the overlays that is none by its name', () => {
  const overlays = join(folder, 'austream.yaml.d');
  mkdirSync(overlays);
  for (const name of ['a.yaml', 'b.yml', 'c.txt']) writeFileSync(join(overlays, name), '{}');
  expect(warnings({})).toEqual([`${join(overlays, 'b.yml')} is not read: names of overlays end in .yaml`]);
  rmSync(overlays, { recursive: true });
});
