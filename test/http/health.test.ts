import { describe, expect, it } from 'vitest';
import { AustreamError } from '../../src/errors.ts';
import { serveHealth } from '../../src/http/health.ts';

describe('serveHealth', () => {
  it('serves nothing without a port', async () => {
    expect(await serveHealth({ host: '127.0.0.1', port: null }, { missing: () => [] })).toBeNull();
  });

  it('is alive while it answers, and ready while nothing is missing', async () => {
    const missing = ['Kafka is not reachable'];
    const server = (await serveHealth({ host: '127.0.0.1', port: 0 }, { missing: () => missing }))!;
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
      return { status: response.status, body: await response.json() };
    };
    expect(await get('/healthz')).toEqual({ status: 200, body: { status: 'ok' } });
    expect(await get('/readyz')).toEqual({ status: 503, body: { ready: false, missing } });
    missing.pop();
    expect(await get('/readyz')).toEqual({ status: 200, body: { ready: true, missing: [] } });
    await server.close();
  });

  it('answers 503 while the process cannot work, and does not run the check for each probe', async () => {
    let checks = 0;
    const probes = {
      missing: () => [],
      alive: async () => {
        checks += 1;
        throw new Error('the device is gone');
      },
    };
    const server = (await serveHealth({ host: '127.0.0.1', port: 0 }, probes))!;
    for (let probe = 0; probe < 3; probe += 1) {
      const response = await fetch(`http://127.0.0.1:${server.port}/healthz`);
      expect(response.status).toBe(503);
      expect(await response.json()).toEqual({ status: 'failed', why: 'the device is gone' });
    }
    expect(checks).toBe(1);
    await server.close();
  });

  it('rejects with PORT_IN_USE, naming the port', async () => {
    const first = (await serveHealth({ host: '127.0.0.1', port: 0 }, { missing: () => [] }))!;
    const second = serveHealth({ host: '127.0.0.1', port: first.port }, { missing: () => [] });
    await expect(second).rejects.toThrow(AustreamError);
    await expect(second).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(`${first.port}`),
    });
    await first.close();
  });
});
