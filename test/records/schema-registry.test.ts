import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { SchemaRegistry } from '../../src/records/schema-registry.ts';

async function withRegistry(
  listener: RequestListener,
  use: (registry: SchemaRegistry) => Promise<void>,
  { timeoutSeconds = 5, unknownSeconds = 60 } = {},
): Promise<void> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await use(new SchemaRegistry({ url, timeoutSeconds }, { unknownSeconds }));
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

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
    const error = await registry.lookup('au.frames-value', '{}').catch((caught) => caught);
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
    const registry = new SchemaRegistry({ url, timeoutSeconds: 20 });
    await expect(registry.lookup('subject', '"string"')).rejects.toThrow('larger than 256 KiB');
    // A message that names a foreign schema of this size is no reason to stop reading.
    expect(await registry.schema(7)).toBeNull();
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('an HTML page of a proxy counts as an outage and is not cached', () => {
  const responses = ['<h1>Back soon</h1>', '{"schema": "\\"string\\""}'];
  return withRegistry(
    (_, response) => response.end(responses.shift()),
    async (registry) => {
      await expect(registry.schema(7)).rejects.toMatchObject({
        code: 'REGISTRY_UNREACHABLE',
        canRetry: true,
      });
      expect(await registry.schema(7)).toBe('"string"');
    },
  );
});

describe('a registry that attacks', () => {
  const unreachable = (message: string) =>
    expect.objectContaining({ code: 'REGISTRY_UNREACHABLE', message: expect.stringContaining(message) });

  test('an answer that comes byte by byte ends at the timeout of the whole exchange', () =>
    withRegistry(
      (_, response) => {
        const timer = setInterval(() => response.write(' '), 50);
        response.on('close', () => clearInterval(timer));
      },
      (registry) => expect(registry.schema(7)).rejects.toEqual(unreachable('no response within 1 s')),
      { timeoutSeconds: 1 },
    ));

  test.each(['null', '[]', '{"schema": 5}', '{"schema": null}', '{"__proto__": {"schema": "x"}}'])(
    'the schema %s is refused',
    (answer) =>
      withRegistry(
        (_, response) => response.end(answer),
        (registry) => expect(registry.schema(7)).rejects.toEqual(unreachable('')),
      ),
  );

  test.each(['{}', '{"id": -1}', '{"id": 4294967296}', '{"id": "1"}', '{"id": 1.5}', '[]'])(
    'the id of %s is refused',
    (answer) =>
      withRegistry(
        (_, response) => response.end(answer),
        (registry) => expect(registry.lookup('subject', '"string"')).rejects.toEqual(unreachable('')),
      ),
  );

  test('a redirect is not followed', async () => {
    let followed = false;
    await withRegistry(
      (request, response) => {
        if (request.url === '/elsewhere') followed = true;
        response.writeHead(307, { location: '/elsewhere' }).end();
      },
      (registry) => expect(registry.schema(7)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' }),
    );
    expect(followed).toBe(false);
  });
});

describe('an id that a registry does not know', () => {
  const absent = '{"error_code": 40403, "message": "Schema not found"}';
  const unreachable = { code: 'REGISTRY_UNREACHABLE', canRetry: true };

  test('counts as unknown only after the registry has said so for a while: a replica may lag', () => {
    let statusOf = 404;
    return withRegistry(
      (_, response) =>
        response.writeHead(statusOf).end(statusOf === 404 ? absent : '{"schema": "\\"string\\""}'),
      async (registry) => {
        await expect(registry.schema(7)).rejects.toMatchObject(unreachable);
        statusOf = 200;
        expect(await registry.schema(7)).toBe('"string"');
        statusOf = 404;
        expect(await registry.schema(7)).toBe('"string"');
        await expect(registry.schema(8)).rejects.toMatchObject(unreachable);
        await sleep(1_100);
        expect(await registry.schema(8)).toBeNull();
        statusOf = 503;
        expect(await registry.schema(8), 'kept for seconds').toBeNull();
      },
      { unknownSeconds: 1 },
    );
  });

  test('is not remembered across an outage: the registry may still be starting', () => {
    const statuses = [404, 503, 404];
    return withRegistry(
      (_, response) => response.writeHead(statuses.shift()!).end(absent),
      async (registry) => {
        await expect(registry.schema(7)).rejects.toMatchObject(unreachable);
        await sleep(250);
        await expect(registry.schema(7)).rejects.toMatchObject(unreachable);
        await expect(registry.schema(7)).rejects.toMatchObject(unreachable);
      },
      { unknownSeconds: 0.2 },
    );
  });

  test.each([
    [404, '<h1>Not Found</h1>'],
    [404, ''],
    [404, '{"error_code": 404, "message": "HTTP 404 Not Found"}'],
    [404, '{"error_code": 40401, "message": "Subject not found"}'],
    [404, '{"message": "no Route matched with those values"}'],
    [408, ''],
    [425, ''],
    [429, '{"error_code": 42901, "message": "Too many requests"}'],
    [500, '{"error_code": 50003, "message": "Error while forwarding the request to the master."}'],
    [503, '{"error_code": 40403, "message": "Schema not found"}'],
    [200, '{"error_code": 40403, "message": "Schema not found"}'],
  ])('is not what HTTP %i %s means: that is an outage', (status, text) =>
    withRegistry(
      (_, response) => response.writeHead(status).end(text),
      async (registry) => {
        for (let attempt = 0; attempt < 3; attempt += 1)
          await expect(registry.schema(7)).rejects.toMatchObject(unreachable);
      },
      { unknownSeconds: 0 },
    ),
  );

  test.each([400, 401, 403, 405, 422])('nor HTTP %i, which a person must cure', (status) =>
    withRegistry(
      (_, response) => response.writeHead(status).end('{"message": "no"}'),
      (registry) => expect(registry.schema(7)).rejects.toMatchObject({ code: 'REGISTRY_REJECTED' }),
      { unknownSeconds: 0 },
    ),
  );

  test('that cannot exist is not asked for', () =>
    withRegistry(
      () => expect.unreachable(),
      async (registry) => expect(await registry.schema(0xffff_ffff)).toBeNull(),
    ));
});

test('Retry-After is obeyed: no request is sent before', async () => {
  let requests = 0;
  await withRegistry(
    (_, response) => {
      requests += 1;
      if (requests === 1) response.writeHead(429, { 'retry-after': '1' }).end();
      else response.end('{"schema": "x"}');
    },
    async (registry) => {
      for (let attempt = 0; attempt < 3; attempt += 1)
        await expect(registry.schema(7)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
      expect(requests).toBe(1);
      await expect.poll(() => registry.schema(7).catch(() => null), { timeout: 10_000 }).toBe('x');
    },
  );
});
