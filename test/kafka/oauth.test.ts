import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { rdkafkaConnection } from '../../src/kafka/connection.ts';
import { fetchToken } from '../../src/kafka/oauth.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';

const SECRET = 'c4n4ry: s&cret+ü%';
let server: Server | undefined;
afterEach(() => server?.close());

async function endpoint(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const listening = createServer(answer);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const tokenEndpoint = `http://127.0.0.1:${(listening.address() as AddressInfo).port}/token`;
  return { mechanism: 'OAUTHBEARER', tokenEndpoint, clientId: 'a:b c', clientSecret: SECRET } as const;
}

const ENCODED = ['a%3Ab+c', 'c4n4ry%3A+s%26cret%2B%C3%BC%25'];

test('id and secret are form-encoded in Basic authentication (RFC 6749, 2.3.1), for both clients', async () => {
  let header = '';
  const sasl = await endpoint((request, response) => {
    header = request.headers.authorization!;
    response.end(JSON.stringify({ access_token: 'abc' }));
  });
  expect(await fetchToken(sasl)).toBe('abc');
  expect(Buffer.from(header.replace('Basic ', ''), 'base64').toString()).toBe(ENCODED.join(':'));
  const connection = rdkafkaConnection(kafkaOptions.parse({ brokers: ['h:1'], sasl }));
  expect([connection['sasl.oauthbearer.client.id'], connection['sasl.oauthbearer.client.secret']]).toEqual(
    ENCODED,
  );
});

test.each([
  ['HTML', `<h1>${SECRET}</h1>`, 'its answer is not JSON'],
  ['nothing', '', 'its answer is not JSON'],
  ['null', 'null', 'the response has no access_token'],
  ['a list', '[1]', 'the response has no access_token'],
  ['another token', '{"access_token": {"secret": 1}}', 'the response has no access_token'],
  ['an endless answer', 'x'.repeat(2 << 20), 'larger than 1 MiB'],
])('an endpoint that answers 200 with %s gives an error that does not quote it', async (_, body, reason) => {
  const sasl = await endpoint((_request, response) => response.end(body));
  const error = await fetchToken(sasl).catch((caught) => caught);
  expect(error).toMatchObject({ name: 'AustreamError', code: 'KAFKA_REJECTED' });
  expect(error.message).toContain(reason);
  expect(error.message).not.toContain('c4n4ry');
});

test('a redirect is not followed: the secret goes to the configured endpoint only', async () => {
  let requests = 0;
  const sasl = await endpoint((request, response) => {
    requests += 1;
    response.writeHead(307, { location: `http://${request.headers.host}/elsewhere` }).end();
  });
  await expect(fetchToken(sasl)).rejects.toMatchObject({ code: 'KAFKA_REJECTED' });
  expect(requests).toBe(1);
});
