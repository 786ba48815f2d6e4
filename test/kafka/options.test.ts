import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { kafkajsConnection, rdkafkaConnection } from '../../src/kafka/connection.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';

const brokers = ['kafka:9093'];
const mistakes = (kafka: object) =>
  kafkaOptions.safeParse(kafka).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('kafka options', () => {
  test('name what is wrong', () => {
    expect(mistakes({})).toEqual([': needs either brokers: ["host:9092"] or embedded: true']);
    expect(mistakes({ brokers, embedded: true })).toHaveLength(1);
    expect(mistakes({ brokers: ['kafka'] })).toEqual(['brokers.0: must be host:port']);
    expect(mistakes({ brokers, tls: { certificate: 'a.pem' } })).toEqual([
      'tls: certificate and key go together',
    ]);
    expect(mistakes({ brokers, sasl: { mechanism: 'GSSAPI' } })).toEqual([
      'sasl.mechanism: mechanism must be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER',
    ]);
    expect(mistakes({ brokers, sasl: { mechanism: 'PLAIN', username: 'a' } })?.[0]).toMatch(
      /^sasl.password: /,
    );
    expect(mistakes({ brokers, registry: { url: 'http://a:b@registry:8081' } })).toEqual([
      'registry.url: credentials do not belong in the url: use username and password',
    ]);
    expect(mistakes({ embedded: true, spool: { dir: '/tmp/x' } })).toEqual([
      'spool: has no use with the embedded broker',
    ]);
  });

  test('become what librdkafka and kafkajs understand', () => {
    const dir = mkdtempSync(join(tmpdir(), 'austream-tls-'));
    const ca = join(dir, 'ca.pem');
    writeFileSync(ca, 'PEM');
    const kafka = kafkaOptions.parse({
      brokers,
      tls: { ca },
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'austream', password: 'secret' },
    });
    expect(rdkafkaConnection(kafka)).toMatchObject({
      'bootstrap.servers': 'kafka:9093',
      'security.protocol': 'sasl_ssl',
      'ssl.ca.pem': 'PEM',
      'sasl.mechanism': 'SCRAM-SHA-512',
      'enable.ssl.certificate.verification': true,
    });
    expect(kafkajsConnection(kafka)).toMatchObject({
      brokers,
      ssl: { ca: 'PEM', rejectUnauthorized: true },
      sasl: { mechanism: 'scram-sha-512', username: 'austream', password: 'secret' },
    });
    rmSync(dir, { recursive: true });
    expect(() => rdkafkaConnection(kafka)).toThrowError(`kafka.tls.ca: ${ca} cannot be read: ENOENT`);
  });

  test('that the example config shows in comments are valid', () => {
    const example = readFileSync(new URL('../../austream.example.yaml', import.meta.url), 'utf8');
    const blocks = [...example.matchAll(/^ {2}# (\w+): +# .*\n((?: {2}# {3}.*\n)+)/gm)];
    expect(blocks.map(([, key]) => key)).toEqual(['tls', 'sasl', 'sasl', 'registry', 'spool']);
    for (const [block] of blocks) {
      const options = parse(block.replace(/^ {2}# /gm, ''));
      expect(mistakes({ brokers, ...options }), block).toBeUndefined();
    }
  });

  test('without tls and sasl mean plain text', () => {
    expect(rdkafkaConnection(kafkaOptions.parse({ brokers }))).toMatchObject({
      'security.protocol': 'plaintext',
    });
  });
});
