import { isIP } from 'node:net';
import { z } from 'zod';

const HOST_NAME = /^(?!-)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/;

export const MIN_TOKEN_LENGTH = 16;
/** A token of the live page. */
export const accessToken = z
  .string()
  .min(MIN_TOKEN_LENGTH, `must have ${MIN_TOKEN_LENGTH} characters or more`);

export const httpOptions = z.strictObject({
  host: z.string().default('127.0.0.1'),
  /** 0: any free port; null: no server. */
  port: z.number().int().min(0).max(65_535).nullable().default(null),
  /** Access token of the live page with all rights. `dashboard.users` has one token per person. */
  token: accessToken.optional(),
  /**
   * Names that requests may use in their Host header, beside localhost and IP addresses. On a loopback address no other
   * name is accepted; elsewhere every name is, unless this list has entries.
   */
  hosts: z.array(z.string().regex(HOST_NAME, 'must be a host name without a port')).optional(),
  /** TLS, or a network policy, is in front of `host`: `austream check` does not warn that it can be read on the network. */
  behindTls: z.boolean().optional(),
  /** Addresses of reverse proxies; only they are believed when they name the client (X-Forwarded-For). */
  proxies: z
    .array(z.string().refine(isAddress, 'must be an IP address, or a network such as 10.0.0.0/8'))
    .optional(),
});
export type HttpOptions = z.output<typeof httpOptions>;

function isAddress(text: string): boolean {
  const [address, bits, ...rest] = text.split('/');
  const family = isIP(address!);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
