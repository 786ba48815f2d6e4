import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificatesOf, expiryWarning } from '../../src/kafka/certificates.ts';
import { kafkajsConnection, rdkafkaConnection } from '../../src/kafka/connection.ts';
import { CredentialWatch } from '../../src/kafka/credential-watch.ts';
import { readConsistent } from '../../src/kafka/credentials.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { TestAuthority } from '../broker/certificates.ts';

const dir = mkdtempSync(join(tmpdir(), 'austream-credentials-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority(dir);
  authority.issue('old', { name: 'client', seconds: 3 * 86_400 });
  authority.issue('new', { name: 'client', seconds: 90 * 86_400 });
});

let folders = 0;
/** A folder as Kubernetes mounts a secret: the files are links into `..data`, itself a link that is replaced. */
class MountedSecret {
  readonly #folder = join(dir, `mounted-${++folders}`);
  #versions = 0;

  constructor(pair: string) {
    mkdirSync(this.#folder);
    this.renew(pair);
    for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('..data', file), join(this.#folder, file));
  }

  renew(certificate: string, key = certificate): void {
    const version = `..${++this.#versions}`;
    mkdirSync(join(this.#folder, version));
    copyFileSync(join(dir, `${certificate}.pem`), join(this.#folder, version, 'tls.crt'));
    copyFileSync(join(dir, `${key}.key`), join(this.#folder, version, 'tls.key'));
    symlinkSync(version, join(this.#folder, '..data_tmp'));
    renameSync(join(this.#folder, '..data_tmp'), join(this.#folder, '..data'));
  }

  options(rest: object = {}) {
    return kafkaOptions.parse({
      brokers: ['kafka:9093'],
      tls: { ca: authority.ca, certificate: this.path('tls.crt'), key: this.path('tls.key') },
      ...rest,
    });
  }

  path(file: string): string {
    return join(this.#folder, file);
  }
}

const pem = (file: string) => readFileSync(join(dir, file), 'utf8');

describe('credentials', () => {
  test('of a renewed secret are used by the next client of librdkafka, and the next connection of kafkajs', () => {
    const secret = new MountedSecret('old');
    const options = secret.options();
    const ssl = kafkajsConnection(options).ssl as { cert: string; key: string };
    expect(Object.assign({}, ssl)).toMatchObject({ cert: pem('old.pem'), key: pem('old.key') });
    secret.renew('new');
    expect(Object.assign({}, ssl)).toMatchObject({ cert: pem('new.pem'), key: pem('new.key') });
    expect(rdkafkaConnection(options)).toMatchObject({
      'ssl.certificate.pem': pem('new.pem'),
      'ssl.key.pem': pem('new.key'),
    });
  });

  test('of a password file are read again', () => {
    const passwordFile = join(dir, 'password');
    writeFileSync(passwordFile, 'c4n4ry-one\n');
    const sasl = { mechanism: 'SCRAM-SHA-512', username: 'austream', passwordFile };
    const options = kafkaOptions.parse({ brokers: ['kafka:9093'], sasl });
    const kafkajs = kafkajsConnection(options).sasl as { password: string };
    let changes = 0;
    const watch = new CredentialWatch(options, () => (changes += 1), 3_600_000);
    writeFileSync(passwordFile, 'c4n4ry-two\n');
    watch.check();
    watch.close();
    expect(changes).toBe(1);
    expect(kafkajs.password).toBe('c4n4ry-two');
    expect(rdkafkaConnection(options)['sasl.password']).toBe('c4n4ry-two');
  });

  test('that are being replaced stay those from before until certificate and key match', () => {
    const secret = new MountedSecret('old');
    const options = secret.options();
    let changes = 0;
    const watch = new CredentialWatch(options, () => (changes += 1), 3_600_000);
    const replace = (step: () => void) => {
      step();
      watch.check();
      return [changes, rdkafkaConnection(options)['ssl.certificate.pem'] === pem('new.pem')];
    };
    const file = (name: string, text: string) => () => writeFileSync(secret.path(name), text);
    expect(replace(() => secret.renew('new', 'old'))).toEqual([0, false]);
    expect(replace(file('tls.key', ''))).toEqual([0, false]);
    expect(replace(file('tls.key', pem('new.key').slice(0, 500)))).toEqual([0, false]);
    expect(replace(() => rmSync(secret.path('tls.crt')))).toEqual([0, false]);
    expect(replace(file('tls.crt', pem('new.pem').slice(0, 300)))).toEqual([0, false]);
    expect(replace(file('tls.crt', pem('new.pem')))).toEqual([0, false]);
    expect(replace(file('tls.key', pem('new.key')))).toEqual([1, true]);
    expect(replace(() => {})).toEqual([1, true]);
    watch.close();
  });

  test('that cannot be used at the start are named', () => {
    const options = new MountedSecret('old').options();
    const broken = (tls: object) => kafkaOptions.parse({ ...options, tls: { ...options.tls, ...tls } });
    expect(() => readConsistent(broken({ key: join(dir, 'new.key') }))).toThrow(
      /kafka\.tls\.key: .*new\.key does not belong to/,
    );
    expect(() => readConsistent(broken({ certificate: join(dir, 'ca.key') }))).toThrow(
      /kafka\.tls\.certificate: .* is no PEM certificate/,
    );
    expect(() => readConsistent(broken({ ca: join(dir, 'ca.key') }))).toThrow(
      /kafka\.tls\.ca: .* has no PEM certificate/,
    );
    expect(() => readConsistent(broken({ ca: '/dev/zero' }))).toThrow(
      /kafka\.tls\.ca: \/dev\/zero cannot be read: EFBIG/,
    );
  });
});

test('a certificate is announced two weeks before it expires', () => {
  const now = Date.now() / 1000;
  const secret = new MountedSecret('old');
  const [ca, client] = certificatesOf(secret.options({ registry: { url: 'http://registry' } }));
  expect(client).toMatchObject({ setting: 'kafka.tls.certificate', subject: 'CN=client' });
  expect(expiryWarning(client!, now)).toMatch(
    /tls\.crt, whose certificate CN=client expires at .* UTC, in [23] days$/,
  );
  expect(expiryWarning(client!, now - 20 * 86_400)).toBeNull();
  expect(expiryWarning(client!, now + 4 * 86_400)).toMatch(/ expired at /);
  expect(expiryWarning(ca!, now)).toBeNull();
  secret.renew('new');
  expect(expiryWarning(certificatesOf(secret.options())[1]!, now)).toBeNull();
  // While an authority is renewed, its file holds both certificates of one subject.
  const both = join(dir, 'both.pem');
  writeFileSync(both, pem('old.pem') + pem('new.pem'));
  expect(
    expiryWarning(certificatesOf(kafkaOptions.parse({ brokers: ['a:1'], tls: { ca: both } }))[0]!, now),
  ).toBeNull();
});
