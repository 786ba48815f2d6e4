import type { AddressInfo } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';
import { AustreamError } from '../errors.ts';
import type { HttpOptions } from './options.ts';

/** What keeps a process from being ready, e.g. `Kafka is not reachable`; empty when it is ready. */
export type Readiness = () => readonly string[];

export interface Probes {
  readonly missing: Readiness;
  /** Rejects where the process can do its work no more and should be replaced. */
  alive(): Promise<void>;
}

/** Further routes on the same server: metrics, the dashboard. */
export type Routes = (server: FastifyInstance) => void | Promise<void>;

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Platforms ask often, and each answer may cost an inference: one serves for a while. */
const ALIVE_FOR_MS = 5_000;

/**
 * `/healthz`: the process answers, and `alive` does where there is one. `/readyz`: models are loaded and Kafka is
 * reachable; a dead camera is a matter of its status, not of readiness. Null where the config serves nothing.
 */
export async function serveHealth(
  http: HttpOptions,
  probes: Readiness | Probes,
  ...more: readonly Routes[]
): Promise<HealthServer | null> {
  if (http.port === null) return null;
  const { missing, alive } = typeof probes === 'function' ? { missing: probes, alive: undefined } : probes;
  const server = fastify();
  const health = alive ? keep(ALIVE_FOR_MS, alive) : async () => {};
  server.get('/healthz', (_, reply) =>
    health().then(
      () => ({ status: 'ok' }),
      (error: Error) => reply.code(503).send({ status: 'failed', why: error.message }),
    ),
  );
  server.get('/readyz', (_, reply) => {
    const reasons = missing();
    return reply
      .code(reasons.length === 0 ? 200 : 503)
      .send({ ready: reasons.length === 0, missing: reasons });
  });
  for (const routes of more) await routes(server);
  try {
    await server.listen({ host: http.host, port: http.port });
  } catch (cause) {
    await server.close();
    throw listenError(http, cause as NodeJS.ErrnoException);
  }
  return { port: (server.server.address() as AddressInfo).port, close: () => server.close() };
}

/** Asks again only after `ms`. */
function keep(ms: number, ask: () => Promise<void>): () => Promise<void> {
  let answer: Promise<void> | null = null;
  let until = 0;
  return () => {
    if (answer === null || performance.now() > until) {
      answer = ask().finally(() => {
        until = performance.now() + ms;
      });
      until = Number.POSITIVE_INFINITY;
    }
    return answer;
  };
}

function listenError({ host, port }: HttpOptions, cause: NodeJS.ErrnoException): Error {
  if (cause.code === 'EADDRINUSE')
    return new AustreamError('PORT_IN_USE', `http: ${host}:${port} is taken by another program`, {
      fix: 'choose another http.port, or 0 for any free one',
      cause,
    });
  return new AustreamError('ARGUMENT_INVALID', `http: cannot listen on ${host}:${port}: ${cause.code}`, {
    fix: 'http.host must be an address of this machine',
    cause,
  });
}
