import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';
import { Connections } from './connections.ts';
import { refuseCrossSite } from './cross-site.ts';
import { checkHostHeader } from './host-header.ts';
import type { HttpOptions } from './options.ts';

interface TimeLimits {
  /** A request, headers and body together, must be complete within this time (CWE-400: slow clients). */
  readonly requestMs: number;
  /** Its headers, from the connection's start. */
  readonly headersMs: number;
  /** A connection without any traffic. The live page's events repeat every second; a page that stopped reading is closed. */
  readonly silentMs: number;
  /** Interval of the checks. */
  readonly checkMs: number;
}
const TIME_LIMITS: TimeLimits = { requestMs: 10_000, headersMs: 5_000, silentMs: 60_000, checkMs: 1_000 };
const KEEP_ALIVE_MS = 10_000;
/** The cookies of every program on this host come along, whatever its port. */
const MAX_HEADER_BYTES = 16_384;
const MAX_BODY_BYTES = 16_384;

/** Headers of every response. The page itself needs no other source than this server. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

declare module 'fastify' {
  interface FastifyInstance {
    readonly connections: Connections;
  }
}

/** The one HTTP server of a process, without routes: bounded in time, size and connections, closed to other sites. */
export function createHttpServer(http: HttpOptions, limits = TIME_LIMITS): FastifyInstance {
  const proxies = http.proxies ?? [];
  const connections = new Connections(proxies);
  const server = fastify({
    trustProxy: proxies.length > 0 ? [...proxies] : false,
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
    clientErrorHandler: (error, socket) => refuseRequest(error, socket as Socket),
    serverFactory: (handler) => {
      const node = createServer(
        {
          requestTimeout: limits.requestMs,
          headersTimeout: limits.headersMs,
          connectionsCheckingInterval: limits.checkMs,
          keepAliveTimeout: KEEP_ALIVE_MS,
          maxHeaderSize: MAX_HEADER_BYTES,
          insecureHTTPParser: false,
        },
        handler,
      );
      node.setTimeout(limits.silentMs);
      connections.watch(node);
      return node;
    },
  });
  server.decorate('connections', connections);
  server.addHook('onRequest', async (_, reply) => {
    reply.headers(SECURITY_HEADERS);
  });
  checkHostHeader(server, http);
  refuseCrossSite(server);
  return server;
}

const CLIENT_ERRORS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
};

/**
 * Answers what is no valid request, and closes the connection. One that sent nothing gets no answer: browsers open some in
 * advance, and would take the answer for that of their next request.
 */
function refuseRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.destroyed) return;
  if (!socket.writable || error.code === 'ECONNRESET' || socket.bytesRead === 0) socket.destroy();
  else
    socket.end(
      `HTTP/1.1 ${CLIENT_ERRORS[error.code ?? ''] ?? '400 Bad Request'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      () => socket.destroy(),
    );
}
