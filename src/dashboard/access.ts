import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AustreamError } from '../errors.ts';

const COOKIE = 'austream';
/** Slows down guessing of tokens. */
const WRONG_TOKEN_DELAY_MS = 500;

/**
 * Decides who may see the cameras. Without a token: every user of this machine, if the Host header names the loopback
 * (against DNS rebinding). With a token: everyone who has it.
 */
export class Access {
  readonly #token: string | undefined;
  readonly #session: string | undefined;

  /** Throws CONFIG_INVALID if other machines can reach `host` and there is no token. */
  constructor(host: string, token: string | undefined) {
    if (token === undefined && !isLoopback(host))
      throw new AustreamError('CONFIG_INVALID', `the dashboard on ${host} needs http.token`, {
        fix: 'set http.token: ${AUSTREAM_TOKEN} in the config, or http.host: 127.0.0.1',
      });
    this.#token = token;
    this.#session = token && digest(`session ${token}`).toString('hex');
  }

  /** Returns without a reply if the request is allowed; otherwise replies 403, or 401 with the login page. */
  async guard(request: FastifyRequest, reply: FastifyReply, login: string): Promise<void> {
    if (this.#token === undefined) {
      if (!isLoopback(request.hostname))
        await reply.code(403).type('text/plain').send('austream: open the dashboard as http://localhost\n');
      return;
    }
    if (this.#hasSession(request) || this.#matches(bearer(request))) return;
    await reply.code(401).type('text/html').send(login);
  }

  /** Checks a token from the login form or the page's query: sets the session cookie, or replies 401 with the login page. */
  async logIn(token: unknown, reply: FastifyReply, login: string): Promise<FastifyReply> {
    if (typeof token === 'string' && this.#matches(token))
      return reply
        .header('set-cookie', `${COOKIE}=${this.#session}; HttpOnly; SameSite=Strict; Path=/`)
        .redirect('/', 303);
    await new Promise((resolve) => setTimeout(resolve, WRONG_TOKEN_DELAY_MS));
    return reply.code(401).type('text/html').send(login);
  }

  #matches(token: string | undefined): boolean {
    return (
      token !== undefined && this.#token !== undefined && timingSafeEqual(digest(token), digest(this.#token))
    );
  }

  #hasSession(request: FastifyRequest): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map((cookie) => cookie.trim());
    const session = cookies.find((cookie) => cookie.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
    return session !== undefined && timingSafeEqual(digest(session), digest(this.#session!));
  }
}

function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

function bearer(request: FastifyRequest): string | undefined {
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
