import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { monotonicMs } from '../clock.ts';
import { AustreamError } from '../errors.ts';
import type { HttpOptions } from './options.ts';
import { createHttpServer } from './server.ts';

export interface Probes {
  /** What the process lacks to be ready, e.g. `Kafka is not reachable`; empty when it is ready. */
  missing(): readonly string[];
  /** Rejects when the process can no longer work and should be restarted. Without it, answering is enough. */
  alive?(): Promise<void>;
}

/** Adds further routes to the same server: metrics, the live page. */
export type Routes = (server: FastifyInstance) => void | Promise<void>;

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Liveness probes are frequent and each may cost an inference, so a result is reused for this long. */
const ALIVE_CACHE_MS = 5_000;

/**
 * Serves the probes. `/healthz` (liveness): the process answers, and `alive` resolves. `/readyz` (readiness): models are
 * loaded and Kafka is reachable; a dead camera shows in its status, not here. Returns null when `http.port` is null.
 * Throws PORT_IN_USE, or ARGUMENT_INVALID for an address that this machine does not have.
 */
export async function serveHealth(
  http: HttpOptions,
  probes: Probes,
  ...moreRoutes: readonly Routes[]
): Promise<HealthServer | null> {
  if (http.port === null) return null;
  const server = createHttpServer(http);
  const alive = cached(ALIVE_CACHE_MS, async () => probes.alive?.());
  server.get('/healthz', { exposeHeadRoute: true }, (_, reply) =>
    alive().then(
      () => ({ status: 'ok' }),
      (error: Error) => reply.code(503).send({ status: 'failed', why: error.message }),
    ),
  );
  server.get('/readyz', { exposeHeadRoute: true }, (_, reply) => {
    const missing = probes.missing();
    const ready = missing.length === 0;
    return reply.code(ready ? 200 : 503).send({ ready, missing });
  });
  for (const routes of moreRoutes) await routes(server);
  try {
    // On the name, another program could answer on the address of the other family (::1).
    await server.listen({ host: http.host === 'localhost' ? '127.0.0.1' : http.host, port: http.port });
  } catch (cause) {
    await server.close();
    throw listenError(http, cause as NodeJS.ErrnoException);
  }
  return { port: (server.server.address() as AddressInfo).port, close: () => server.close() };
}

/** Reuses the result of `probe` for `ms`, and while it is still running. */
function cached(ms: number, probe: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | null = null;
  let expiresAt = 0;
  return () => {
    if (result === null || monotonicMs() > expiresAt) {
      expiresAt = Number.POSITIVE_INFINITY;
      result = probe().finally(() => {
        expiresAt = monotonicMs() + ms;
      });
    }
    return result;
  };
}

function listenError({ host, port }: HttpOptions, cause: NodeJS.ErrnoException): Error {
  if (cause.code === 'EADDRINUSE')
    return new AustreamError('PORT_IN_USE', `http: ${host}:${port} is in use by another program`, {
      fix: 'choose another http.port, or 0 for any free one',
      cause,
    });
  return new AustreamError('ARGUMENT_INVALID', `http: cannot listen on ${host}:${port}: ${cause.code}`, {
    fix: 'http.host must be an address of this machine',
    cause,
  });
}
