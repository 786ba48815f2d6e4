import type { AddressInfo } from 'node:net';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';

/** The headers of a page that signed in: its cookie, and the session's key. */
export interface PageHeaders {
  /** The cookie's name contains its port. */
  readonly host: string;
  readonly cookie: string;
  readonly 'x-austream': string;
  readonly [name: string]: string;
}

export function signIn(
  server: FastifyInstance,
  token: string,
  headers: Record<string, string> = {},
): Promise<LightMyRequestResponse> {
  return server.inject({
    method: 'POST',
    url: '/login',
    headers: { host: hostOf(server), 'x-austream': 'page', ...headers },
    payload: { token },
  });
}

export async function signedIn(server: FastifyInstance, token: string): Promise<PageHeaders> {
  const response = await signIn(server, token);
  if (response.statusCode !== 200) throw new Error(`not signed in: ${response.statusCode} ${response.body}`);
  return pageHeaders(server, response, response.json().key);
}

/** Follows the redirect of a link like the page does. */
export async function openedLink(server: FastifyInstance, token: string): Promise<PageHeaders> {
  const response = await server.inject({ url: `/?token=${token}`, headers: { host: hostOf(server) } });
  return pageHeaders(server, response, String(response.headers.location).replace('/#key=', ''));
}

function hostOf(server: FastifyInstance): string {
  return `127.0.0.1:${(server.server.address() as AddressInfo).port}`;
}

function pageHeaders(server: FastifyInstance, response: LightMyRequestResponse, key: string): PageHeaders {
  return {
    host: hostOf(server),
    cookie: String(response.headers['set-cookie']).split(';')[0]!,
    'x-austream': key,
  };
}
