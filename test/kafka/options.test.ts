import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { BROKER_ADDRESS_RULE } from '../../src/kafka/broker-address.ts';
import { kafkajsConnection, rdkafkaConnection } from '../../src/kafka/connection.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';

const brokers = ['kafka:9093'];
const issues = (kafka: object) =>
  kafkaOptions.safeParse(kafka).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('kafka options', () => {
  test('are rejected with the path and the problem of each key', () => {
    expect(issues({})).toEqual([': needs either brokers: ["host:9092"] or embedded: true']);
    expect(issues({ brokers, embedded: true })).toHaveLength(1);
    expect(issues({ brokers: ['kafka'] })).toEqual([`brokers.0: ${BROKER_ADDRESS_RULE}`]);
    expect(issues({ brokers, tls: { certificate: 'a.pem' } })).toEqual([
      'tls: certificate and key must be set together',
    ]);
    expect(issues({ brokers, sasl: { mechanism: 'GSSAPI' } })).toEqual([
      'sasl.mechanism: mechanism must be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER',
    ]);
    expect(issues({ brokers, sasl: { mechanism: 'PLAIN', username: 'a' } })?.[0]).toBe(
      'sasl.password: needs either password or passwordFile',
    );
    expect(issues({ brokers, registry: { url: 'http://a:b@registry:8081' } })).toEqual([
      'registry.url: put credentials in username and password, not in the url',
    ]);
    expect(issues({ embedded: true, spool: { dir: '/tmp/x' } })).toEqual([
      'spool: cannot be used with the embedded broker',
    ]);
  });

  test('translate to the settings of librdkafka and of kafkajs', () => {
    const dir = mkdtempSync(join(tmpdir(), 'austream-tls-'));
    const ca = join(dir, 'ca.pem');
    const text = '-----BEGIN CERTIFICATE-----\nPEM\n-----END CERTIFICATE-----\n';
    writeFileSync(ca, text);
    const kafka = kafkaOptions.parse({
      brokers,
      tls: { ca },
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'austream', password: 'secret' },
    });
    expect(rdkafkaConnection(kafka)).toMatchObject({
      'bootstrap.servers': 'kafka:9093',
      'security.protocol': 'sasl_ssl',
      'ssl.ca.pem': text,
      'sasl.mechanism': 'SCRAM-SHA-512',
      'enable.ssl.certificate.verification': true,
    });
    expect(kafkajsConnection(kafka)).toMatchObject({
      brokers,
      ssl: { ca: text, rejectUnauthorized: true },
      sasl: { mechanism: 'scram-sha-512', username: 'austream', password: 'secret' },
    });
    rmSync(dir, { recursive: true });
    const missing = kafkaOptions.parse({ brokers, tls: { ca: '/nowhere/ca.pem' } });
    expect(() => rdkafkaConnection(missing)).toThrowError(
      'kafka.tls.ca: /nowhere/ca.pem cannot be read: ENOENT',
    );
  });

  test('commented out in the example config are valid', () => {
    const example = readFileSync(new URL('../../austream.example.yaml', import.meta.url), 'utf8');
    const blocks = [...example.matchAll(/^ {2}# (\w+): +# .*\n((?: {2}# {3}.*\n)+)/gm)];
    expect(blocks.map(([, key]) => key)).toEqual([
      'tls',
      'sasl',
      'sasl',
      'sasl',
      'sasl',
      'registry',
      'spool',
    ]);
    for (const [block] of blocks) {
      const options = parse(block.replace(/^ {2}# /gm, ''));
      expect(issues({ brokers, ...options }), block).toBeUndefined();
    }
  });

  test('without tls and sasl connect in plain text', () => {
    expect(rdkafkaConnection(kafkaOptions.parse({ brokers }))).toMatchObject({
      'security.protocol': 'plaintext',
    });
  });
});
