import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';

/**
 * Refuses requests that pages of other sites or of other ports make through a person's browser: fetch, EventSource,
 * images, frames, forms. Following a link is allowed, since it only opens the page. Programs send none of these headers.
 */
export function refuseCrossSite(server: FastifyInstance): void {
  server.addHook('onRequest', async ({ method, headers }, reply) => {
    const followsLink =
      (method === 'GET' || method === 'HEAD') &&
      headers['sec-fetch-mode'] === 'navigate' &&
      headers['sec-fetch-dest'] === 'document';
    if (!followsLink && !isSameOrigin(headers))
      await reply.code(403).send({ error: 'only austream’s own page may send requests from a browser' });
  });
}

/** `none`: the person typed the address. Over plain HTTP, except to the loopback, browsers send only Origin. */
function isSameOrigin({ host, origin, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return origin === undefined || originHost(origin) === originHost(`${origin.split(':')[0]}://${host}`);
}

/** Host and port, without the scheme's default port; null for an origin without a host, such as `null`. */
function originHost(origin: string): string | null {
  return (URL.canParse(origin) && new URL(origin).host) || null;
}
