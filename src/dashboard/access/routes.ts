import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { log } from '../../log.ts';
import type { Access } from './access.ts';
import { cookieHeader } from './cookie.ts';
import { personOf, refuseForNow } from './guard.ts';

interface Pages {
  /** The live page: static, without data. */
  sendPage(reply: FastifyReply): FastifyReply;
  sendSignInForm(reply: FastifyReply): FastifyReply;
}

/** `/` (page, sign-in form, or the exchange of a link), `/login` and `/logout`. */
export function serveSignIn(routes: FastifyInstance, access: Access, pages: Pages): void {
  routes.get('/', { config: { role: 'public' } }, (request, reply) => {
    const { token } = request.query as { token?: unknown };
    if (typeof token === 'string' && !access.isOpen) return exchangeLink(token, request, reply);
    if (token !== undefined) return reply.redirect('/', 303);
    const grant = access.check(request);
    const isSignedIn =
      access.sessionOf(request) !== undefined || (grant !== null && typeof grant === 'object');
    return isSignedIn ? pages.sendPage(reply) : pages.sendSignInForm(reply.code(401));
  });

  function exchangeLink(token: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const signedIn = access.useLink(token, request.ip);
    if (signedIn)
      // Browsers keep the part after # to themselves. The page removes it from the address at once.
      return replaceSession(access, request, reply, signedIn.cookie).redirect(`/#key=${signedIn.key}`, 303);
    // A link that is opened twice, e.g. by the browser's preview, leads to the session that it opened.
    return access.sessionOf(request) ? reply.redirect('/', 303) : pages.sendSignInForm(reply.code(401));
  }

  routes.get('/login', { config: { role: 'public' } }, (_, reply) => pages.sendSignInForm(reply));

  routes.post('/login', { config: { role: 'public' } }, (request, reply) => {
    const { token } = (request.body ?? {}) as { token?: unknown };
    const signedIn = access.signIn(typeof token === 'string' ? token : '', request.ip);
    if (signedIn === null) return reply.code(401).send({ error: 'this token is not valid' });
    if (typeof signedIn === 'number') return refuseForNow(reply, signedIn);
    return replaceSession(access, request, reply, signedIn.cookie).send({ key: signedIn.key });
  });

  routes.post('/logout', { config: { role: 'view' } }, (request, reply) => {
    const { session } = request.grant!;
    if (session) access.sessions.close(session);
    log.info({ person: personOf(request).name }, `${personOf(request).name} signed out of the live page`);
    return reply.code(204).header('set-cookie', cookieHeader(request, null)).send();
  });
}

/** Sets the new session's cookie; the session that the browser had before ends. */
function replaceSession(
  access: Access,
  request: FastifyRequest,
  reply: FastifyReply,
  cookie: string,
): FastifyReply {
  const previous = access.sessionOf(request);
  if (previous) access.sessions.close(previous);
  return reply.header('set-cookie', cookieHeader(request, cookie));
}
