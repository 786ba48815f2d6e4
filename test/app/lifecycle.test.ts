import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type ProcessSteps, runProcess, type Worker } from '../../src/app/lifecycle.ts';
import { redirectLog } from '../../src/log.ts';

const events: string[] = [];
const logged: string[] = [];
redirectLog((message) => logged.push(message));

// The real telemetry changes global state; only its place in the order matters here.
vi.mock('../../src/telemetry/index.ts', () => ({
  openTelemetry: async () => {
    events.push('open telemetry');
    return { routes: () => {}, watch: () => {}, close: async () => void events.push('close telemetry') };
  },
}));

beforeEach(() => {
  events.length = 0;
  logged.length = 0;
});

const worker = (done: Promise<unknown>): Worker => ({
  done,
  missing: () => [],
  stats: () => ({ publisher: { connected: true, pending: 0, topics: [] } }),
});

/** Steps that record their order. The server listens on a free port, which `port` returns. */
function recordedSteps(overrides: Partial<ProcessSteps<Worker, string>> = {}) {
  let served: number | null = null;
  const steps: ProcessSteps<Worker, string> = {
    http: { host: '127.0.0.1', port: 0 },
    delivery: { readySeconds: 30 },
    open: async () => {
      events.push('open worker');
      return worker(Promise.resolve());
    },
    ready: (_worker, port, resources) => {
      served = port;
      events.push('ready');
      resources.add('hot reload', () => void events.push('close hot reload'));
    },
    stop: async () => {
      events.push(`stop worker, server ${(await isServed(served)) ? 'open' : 'closed'}`);
      return 'summary';
    },
    ...overrides,
  };
  return { steps, port: () => served };
}

async function isServed(port: number | null): Promise<boolean> {
  if (port === null) return false;
  return fetch(`http://127.0.0.1:${port}/healthz`).then(
    (response) => response.ok,
    () => false,
  );
}

const CLOSED = ['close hot reload', 'stop worker, server closed', 'close telemetry'];

describe('runProcess', () => {
  test('opens in order, closes in reverse order, and returns the summary', async () => {
    const { steps } = recordedSteps();
    expect(await runProcess(steps)).toEqual({ endReason: 'done', summary: 'summary', lost: {} });
    expect(events).toEqual(['open telemetry', 'open worker', 'ready', ...CLOSED]);
  });

  test('serves the probes while it runs', async () => {
    const { promise: done, resolve: end } = Promise.withResolvers<void>();
    const { steps, port } = recordedSteps({ open: async () => worker(done) });
    const running = runProcess(steps);
    await vi.waitUntil(() => port() !== null, { timeout: 60_000 });
    expect(await isServed(port())).toBe(true);
    end();
    expect((await running).endReason).toBe('done');
    expect(await isServed(port())).toBe(false);
  });

  test('ends after its duration', async () => {
    const { steps } = recordedSteps({ durationMs: 20, open: async () => worker(new Promise(() => {})) });
    expect((await runProcess(steps)).endReason).toBe('duration');
  });

  test('closes telemetry when the worker fails to open', async () => {
    const { steps } = recordedSteps({ open: () => Promise.reject(new Error('no model')) });
    await expect(runProcess(steps)).rejects.toThrow('no model');
    expect(events).toEqual(['open telemetry', 'close telemetry']);
  });

  test('stops the worker when the HTTP server fails to open', async () => {
    const { steps } = recordedSteps({ http: { host: '192.0.2.1', port: 0 } });
    await expect(runProcess(steps)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
    expect(events).toEqual([
      'open telemetry',
      'open worker',
      'stop worker, server closed',
      'close telemetry',
    ]);
  });

  test('closes everything when it fails while getting ready', async () => {
    const { steps } = recordedSteps({ ready: () => Promise.reject(new Error('socket in use')) });
    await expect(runProcess(steps)).rejects.toThrow('socket in use');
    expect(events.slice(-2)).toEqual(['stop worker, server closed', 'close telemetry']);
  });

  test('closes everything when the worker fails; the first error wins, a later one is logged', async () => {
    const { steps } = recordedSteps({
      open: async () => {
        const failed = Promise.reject(new Error('device lost'));
        failed.catch(() => {});
        return worker(failed);
      },
      stop: () => {
        events.push('stop worker, server closed');
        return Promise.reject(new Error('flush timed out'));
      },
    });
    await expect(runProcess(steps)).rejects.toThrow('device lost');
    expect(events.slice(-3)).toEqual(CLOSED);
    expect(logged).toEqual(['the worker failed to close: flush timed out']);
  });

  test('rejects when only the drain fails', async () => {
    const { steps } = recordedSteps({ stop: () => Promise.reject(new Error('flush timed out')) });
    await expect(runProcess(steps)).rejects.toThrow('flush timed out');
    expect(events.at(-1)).toBe('close telemetry');
  });
});

/** A process whose worker never ends, and never stops if `hang` is set. Its output lines are its events. */
async function startProcess(hang: boolean) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'endless-process.ts'), String(hang)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const nextLine = async () => (await lines.next()).value as string;
  expect(await nextLine()).toBe('ready');
  return { child, exited, nextLine };
}

describe('a signal', () => {
  test.each([
    ['SIGINT', 'interrupted'],
    ['SIGTERM', 'terminated'],
  ] as const)('%s drains the worker; the end reason is %s', async (signal, endReason) => {
    const { child, exited, nextLine } = await startProcess(false);
    child.kill(signal);
    expect(await nextLine()).toBe('stopping');
    expect(await nextLine()).toBe(endReason);
    expect(await exited).toEqual([0, null]);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('a second signal, %s, exits at once while the drain hangs', async (signal, code) => {
    const { child, exited, nextLine } = await startProcess(true);
    child.kill('SIGINT');
    expect(await nextLine()).toBe('stopping');
    child.kill(signal);
    expect(await exited).toEqual([code, null]);
  });

  test('after an error that nobody has caught', async () => {
    // Those of the test runner, which would fail the test.
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    const { steps } = recordedSteps({
      open: async () => worker(new Promise(() => {})),
      ready: () =>
        void setImmediate(() => process.emit('unhandledRejection', new Error('a defect'), Promise.resolve())),
    });
    await expect(runProcess(steps)).rejects.toThrow('a defect');
    expect(events).toContain('stop worker, server closed');
    expect(logged.join()).toContain('unexpected error: Error: a defect');
    expect(process.listenerCount('unhandledRejection')).toBe(0);
    for (const listener of others) process.on('unhandledRejection', listener);
  });
});
