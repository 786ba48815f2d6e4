import { isIP } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { HttpOptions } from './options.ts';

/** Name or address, and port. Everything else, such as `user@host`, is refused. */
const HOST_HEADER = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/;

/**
 * Protects against DNS rebinding: a page of another site whose name resolves to this machine. Its requests carry that
 * name as Host. An IP address in the header is no risk: a name is needed to rebind.
 */
export function checkHostHeader(server: FastifyInstance, { host, hosts = [] }: HttpOptions): void {
  const names = new Set(['localhost', ...hosts.map((name) => name.toLowerCase())]);
  if (!isLoopback(host) && hosts.length === 0) return;
  server.addHook('onRequest', async ({ headers }, reply) => {
    if (!isKnownHost(headers.host, names))
      await reply
        .code(403)
        .type('text/plain')
        .send('austream: open http://localhost instead, or add this host name to http.hosts in the config\n');
  });
}

function isKnownHost(header: string | undefined, names: ReadonlySet<string>): boolean {
  const [, address, name] = HOST_HEADER.exec(header?.toLowerCase() ?? '') ?? [];
  if (address !== undefined) return isIP(address) === 6;
  return name !== undefined && (isIP(name) === 4 || names.has(name));
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}
