import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { SchemaRegistry } from '../../src/records/schema-registry.ts';

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
