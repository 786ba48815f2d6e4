import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, request, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConsumedEvent, consume } from '../../src/consume/index.ts';
import { kafkajsConnection } from '../../src/kafka/connection.ts';
import {
  type KafkaOptions,
  kafkaOptions,
  type RegistryOptions,
  registryOptions,
} from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { RecordEncoder, type RecordName, schemaText } from '../../src/records/avro.ts';
import { RecordDecoder } from '../../src/records/decode.ts';
import { registerSchemas } from '../../src/records/schema-ids.ts';
import { SchemaRegistry } from '../../src/records/schema-registry.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { TestRegistry } from '../broker/test-registry.ts';
import { delivered, frameNumber } from '../records/samples.ts';

const PASSWORD = 'canary-5f3b';
const observer = { acknowledged: () => {}, dropped: () => expect.unreachable('nothing may be lost') };

let dir: string;
let ca: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'austream-security-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=test',
    '-days',
    '2',
  );
  for (const name of ['server', 'client']) {
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
    );
    writeFileSync(join(dir, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-extfile',
      'names',
    );
  }
  writeFileSync(
    join(dir, 'keystore.pem'),
    readFileSync(join(dir, 'server.key'), 'utf8') + readFileSync(join(dir, 'server.pem'), 'utf8'),
  );
  ca = join(dir, 'ca.pem');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('a broker with TLS and SASL', () => {
  let broker: KafkaBroker;
  let tokens: Server;
  let tokenEndpoint: string;

  beforeAll(async () => {
    const module = 'org.apache.kafka.common.security';
    broker = await KafkaBroker.start({
      secured: 'SASL_SSL',
      scram: [
        `SCRAM-SHA-256=[name=austream,password=${PASSWORD}]`,
        `SCRAM-SHA-512=[name=austream,password=${PASSWORD}]`,
      ],
      properties: {
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': join(dir, 'keystore.pem'),
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': ca,
        'ssl.client.auth': 'required',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
        'listener.name.sasl_ssl.plain.sasl.jaas.config': `${module}.plain.PlainLoginModule required user_austream="${PASSWORD}";`,
        'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': `${module}.scram.ScramLoginModule required;`,
        'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${module}.scram.ScramLoginModule required;`,
        // Kafka's built-in validator accepts unsigned tokens; it is meant for development.
        'listener.name.sasl_ssl.oauthbearer.sasl.jaas.config': `${module}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
      },
    });
    tokens = createHttpServer((incoming, response) => {
      // Both clients: kafkajs through `fetchToken`, and librdkafka.
      const expected = `Basic ${Buffer.from(`austream:${PASSWORD}%3A+%C3%A4%25`).toString('base64')}`;
      if (incoming.headers.authorization !== expected) return void response.writeHead(401).end('{}');
      const now = Math.floor(Date.now() / 1000);
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const token = `${part({ alg: 'none' })}.${part({ sub: 'austream', iat: now, exp: now + 300 })}.`;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ access_token: token, token_type: 'bearer', expires_in: 300 }));
    });
    await new Promise<void>((resolve) => tokens.listen(0, '127.0.0.1', resolve));
    tokenEndpoint = `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/token`;
  }, 600_000);
  afterAll(async () => {
    await broker?.stop();
    tokens?.close();
  });

  const options = (sasl: object, tls: object = {}) =>
    kafkaOptions.parse({
      ...{
        brokers: [broker.secured],
        topicPrefix: 'secure.',
        connectSeconds: 8,
        sasl,
        topics: { partitions: 1 },
      },
      tls: { ca, certificate: join(dir, 'client.pem'), key: join(dir, 'client.key'), ...tls },
    });
  const user = { username: 'austream', password: PASSWORD };
  const mechanisms = (): Record<string, object> => ({
    PLAIN: { mechanism: 'PLAIN', ...user },
    'SCRAM-SHA-256': { mechanism: 'SCRAM-SHA-256', ...user },
    'SCRAM-SHA-512': { mechanism: 'SCRAM-SHA-512', ...user },
    OAUTHBEARER: {
      mechanism: 'OAUTHBEARER',
      tokenEndpoint,
      clientId: 'austream',
      clientSecret: `${PASSWORD}: ä%`,
    },
  });

  async function readFirst(kafka: KafkaOptions, groupId: string): Promise<ConsumedEvent | undefined> {
    const { ssl, sasl, brokers } = kafkajsConnection(kafka);
    for await (const event of consume({
      ...{ brokers: brokers as string[], topics: ['secure.frames'], groupId, ssl, sasl, fromBeginning: true },
    }))
      return event;
    return undefined;
  }

  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'])
    test(`accepts a producer and a consumer with ${mechanism}`, async () => {
      const kafka = options(mechanisms()[mechanism]!);
      const publisher = await openPublisher(kafka, observer);
      publisher.frames([frameNumber(1)]);
      await publisher.flush(20_000);
      await publisher.close();
      expect((await readFirst(kafka, mechanism))?.value).toEqual(delivered(frameNumber(1)));
    }, 60_000);

  test('is named in the error when it rejects credentials; the error contains no secret', async () => {
    const wrong = { mechanism: 'PLAIN', username: 'austream', password: `${PASSWORD}-wrong` };
    const error = await openPublisher(options(wrong), observer).catch((caught) => caught);
    expect(error).toMatchObject({ code: 'KAFKA_REJECTED', message: expect.stringContaining(broker.secured) });
    expect(`${error.message} ${error.fix}`).not.toContain(PASSWORD);
  }, 60_000);

  test('is not trusted if its certificate is signed by another CA', async () => {
    const error = await openPublisher(
      options(mechanisms().PLAIN!, { ca: join(dir, 'client.pem') }),
      observer,
    ).catch((caught) => caught);
    expect(error).toMatchObject({
      code: 'KAFKA_REJECTED',
      message: expect.stringMatching(/certificate|SSL/i),
    });
  }, 60_000);
});

describe('a schema registry', () => {
  let registry: TestRegistry;
  let proxy: Server;
  let url: string;
  let requests = 0;

  beforeAll(async () => {
    registry = await TestRegistry.start();
    // A reverse proxy as in production: TLS and basic auth.
    const target = new URL(registry.url);
    proxy = createTlsServer(
      { key: readFileSync(join(dir, 'server.key')), cert: readFileSync(join(dir, 'server.pem')) },
      (incoming, response) => {
        requests += 1;
        const expected = `Basic ${Buffer.from(`austream:${PASSWORD}`).toString('base64')}`;
        if (incoming.headers.authorization !== expected) return void response.writeHead(401).end();
        const { method, headers } = incoming;
        const forwarded = request(
          { host: target.hostname, port: target.port, path: incoming.url, method, headers },
          (upstream) => {
            response.writeHead(upstream.statusCode!, upstream.headers);
            upstream.pipe(response);
          },
        );
        incoming.pipe(forwarded);
      },
    );
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    url = `https://localhost:${(proxy.address() as AddressInfo).port}${target.pathname}`;
  }, 600_000);
  afterAll(async () => {
    proxy?.close();
    await registry?.stop();
  });

  const options = (rest: object = {}) =>
    registryOptions.parse({ url, ca, username: 'austream', password: PASSWORD, ...rest });
  const register = (registry: RegistryOptions, topicPrefix: string, ...records: RecordName[]) =>
    registerSchemas({ registry, topicPrefix, connectSeconds: 1 }, records);

  test('registers schemas behind TLS and basic auth; schemas are cached', async () => {
    const headers = await register(options(), 'reg.', 'AuFrame', 'CameraStatus');
    expect([...headers.keys()]).toEqual(['AuFrame', 'CameraStatus']);
    const client = new SchemaRegistry(options());
    const { id } = await client.lookup('reg.frames-value', schemaText('AuFrame'));
    if (id === null) throw new Error('the schema is not registered');
    expect(headers.get('AuFrame')).toEqual(Buffer.of(0, 0, 0, id >> 8, id & 255));
    const compatibility = await fetch(`${registry.url}/config/reg.frames-value`).then((response) =>
      response.json(),
    );
    expect(compatibility).toMatchObject({ compatibilityLevel: 'FULL_TRANSITIVE' });

    const before = requests;
    for (let round = 0; round < 5; round += 1) {
      expect(JSON.parse((await client.schema(id))!)).toEqual(JSON.parse(schemaText('AuFrame')));
    }
    expect(requests - before).toBe(1);

    const message = new RecordEncoder('AuFrame', headers.get('AuFrame')!).encode(frameNumber(5));
    const decoded = await new RecordDecoder(client).decode(message);
    expect(decoded).toEqual({ record: 'AuFrame', value: delivered(frameNumber(5)) });
    const impatient = new SchemaRegistry(options(), { unknownSeconds: 0 });
    expect(await impatient.schema(9999)).toBeNull();
    expect(await client.schema(0xffff_ffff)).toBeNull();
    await expect(client.schema(9999)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
  }, 30_000);

  test('rejects an incompatible schema; the error quotes its reason', async () => {
    const client = new SchemaRegistry(options());
    await register(options(), 'gate.', 'AuFrame');
    const broken = JSON.parse(schemaText('AuFrame'));
    broken.fields[0].type = 'int';
    await expect(client.register('gate.frames-value', JSON.stringify(broken))).rejects.toMatchObject({
      code: 'REGISTRY_REJECTED',
      message: expect.stringMatching(/incompatible/i),
    });
  });

  test('is named in the error when it cannot be used; the error contains no secret', async () => {
    const failures = await Promise.all(
      [
        options({ password: `${PASSWORD}-wrong` }),
        options({ ca: join(dir, 'client.pem') }),
        options({ url: 'http://127.0.0.1:1', ca: undefined }),
      ].map((each) => register(each, 'reg.', 'AuFrame').catch((error) => error)),
    );
    expect(failures.map(({ code }) => code)).toEqual([
      ...['REGISTRY_REJECTED', 'REGISTRY_UNREACHABLE', 'REGISTRY_UNREACHABLE'],
    ]);
    for (const { message, fix } of failures) expect(`${message} ${fix}`).not.toContain(PASSWORD);
    await expect(register(options({ register: false }), 'unregistered.', 'AuFrame')).rejects.toMatchObject({
      code: 'REGISTRY_REJECTED',
    });
  });
});
