import type { FastifyRequest } from 'fastify';

/**
 * Cookies are shared by all ports of a host: two austreams must not overwrite each other's. The port is the one that the
 * browser sees, which may be that of a proxy or a container's host.
 */
function cookieName(request: FastifyRequest): string {
  const port = /:(\d{1,5})$/.exec(request.headers.host ?? '')?.[1] ?? '';
  // The prefix makes browsers insist on Secure, Path=/ and no Domain (RFC 6265bis, 4.1.3).
  return `${isSecure(request) ? '__Host-' : ''}austream${port}`;
}

/** The session cookie that a request brings; several if another program on this host set the same name. */
export function cookieValues(request: FastifyRequest): string[] {
  const prefix = `${cookieName(request)}=`;
  return (request.headers.cookie ?? '')
    .split(';')
    .map((cookie) => cookie.trim())
    .flatMap((cookie) => (cookie.startsWith(prefix) ? cookie.slice(prefix.length) : []))
    .slice(0, 4);
}

/** The `Set-Cookie` header for a session; without a value it deletes the cookie. */
export function cookieHeader(request: FastifyRequest, value: string | null): string {
  const secure = isSecure(request) ? '; Secure' : '';
  const expiry = value === null ? '; Max-Age=0' : '';
  return `${cookieName(request)}=${value ?? ''}; HttpOnly; SameSite=Strict; Path=/${secure}${expiry}`;
}

/** Whether a reverse proxy speaks TLS to the browser. Whoever forges the header only affects their own cookie. */
function isSecure({ headers }: FastifyRequest): boolean {
  return /^https\b/i.test(String(headers['x-forwarded-proto'] ?? ''));
}
