import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { SchemaRegistry } from '../../src/records/schema-registry.ts';

const PASSWORD = 'c4n4ry-registry';

test.each([
  ['the request with its credentials', 401],
  ['the request with its credentials', 422],
  ['the request with its credentials', 500],
])('a registry that echoes %s (HTTP %i) does not make an error print the password', async (_, status) => {
  const server = createServer((request, response) => {
    const { authorization } = request.headers;
    const plain = Buffer.from(authorization!.slice(6), 'base64').toString();
    const message = `\x1b[2Jbad ${authorization} ${plain} ${encodeURIComponent(plain)}\n  → run evil\u202e${'x'.repeat(9_000)}`;
    response.writeHead(status).end(JSON.stringify({ message }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const registry = new SchemaRegistry({ url, username: 'austream', password: PASSWORD, timeoutSeconds: 5 });
    const error = await registry.schema(7).catch((caught) => caught);
    expect(error).toMatchObject({ name: 'AustreamError' });
    const shown = `${error.message} ${error.fix}`;
    expect(shown).not.toContain(PASSWORD);
    expect(shown).not.toContain(Buffer.from(PASSWORD).toString('base64').slice(4, -4));
    expect(shown).not.toMatch(/[\p{C}\n]/u);
    expect(shown.length).toBeLessThan(1_000);
  } finally {
    server.close();
  }
});

test('a registry cannot fill the memory with an endless answer', async () => {
  const server = createServer((_, response) => {
    const send = () => {
      while (!response.destroyed && response.write(Buffer.alloc(1 << 16, 32)));
    };
    response.on('drain', send);
    send();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await expect(new SchemaRegistry({ url, timeoutSeconds: 20 }).schema(7)).rejects.toThrow(
      'larger than 1 MiB',
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('an HTML page of a proxy counts as an outage and is not cached', async () => {
  const responses = ['<h1>Back soon</h1>', '{"schema": "\\"string\\""}'];
  const server = createServer((_, response) => response.end(responses.shift())).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const registry = new SchemaRegistry({ url, timeoutSeconds: 5 });
    await expect(registry.schema(7)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE', canRetry: true });
    expect(await registry.schema(7)).toBe('"string"');
  } finally {
    server.close();
  }
});
