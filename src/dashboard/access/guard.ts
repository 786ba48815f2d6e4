import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { log } from '../../log.ts';
import type { Access, Grant } from './access.ts';
import { mayAct, maySee, type Person, type Role } from './person.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use the route; `public`: everyone. A route of the live page without it is not registered. */
    role?: Role | 'public';
  }
  interface FastifyRequest {
    /** What the request may do. Set in every route but public ones. */
    grant: Grant | null;
  }
}

/**
 * Guards every route that is registered in `routes` afterwards. Each declares its role: `{ config: { role: 'view' } }`.
 * A route with a parameter `:cameraId` answers 404 to people who may not see that camera.
 */
export function guardRoutes(routes: FastifyInstance, access: Access): void {
  routes.decorateRequest('grant', null);
  routes.addHook('onRoute', ({ config, method, url }) => {
    if (config?.role === undefined) throw new Error(`${method} ${url} declares no role`);
  });
  routes.addHook('onRequest', async (request, reply) => {
    const role = request.routeOptions.config.role!;
    if (request.method !== 'GET' && request.headers['x-austream'] === undefined)
      return reply.code(403).send({ error: 'the header x-austream is missing' });
    if (role === 'public') return;
    const grant = access.check(request);
    if (grant === null) return reply.code(401).send({ error: 'not signed in, or the session has ended' });
    if (typeof grant === 'number') return refuseForNow(reply, grant);
    const { cameraId } = request.params as { cameraId?: string };
    if (cameraId !== undefined && !maySee(grant.person, cameraId))
      return reply.code(404).send({ error: 'no camera with this name' });
    if (!mayAct(grant.person, role))
      return reply.code(403).send({ error: `${grant.person.name} may look, but not change anything` });
    request.grant = grant;
    routes.connections.keep(request.raw);
  });
}

/** The person who sent the request, in a route that is not public. */
export function personOf({ grant }: FastifyRequest): Person {
  return grant!.person;
}

/** Logs who changed what, through the live page. `did`: e.g. `removed`. */
export function audit(request: FastifyRequest, cameraId: string, did: string): void {
  const { name, role } = personOf(request);
  log.info(
    { cameraId, person: name, role, address: request.ip },
    `${name} ${did} camera ${cameraId} on the live page`,
  );
}

export function refuseForNow(reply: FastifyReply, waitMs: number): FastifyReply {
  const seconds = Math.ceil(waitMs / 1_000);
  return reply
    .code(429)
    .header('retry-after', seconds)
    .send({ error: `too many wrong tokens: wait ${seconds} s` });
}
