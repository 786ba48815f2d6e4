import { z } from 'zod';
import { addressEntry } from './address-list.ts';

/** How a camera reached this process. Only the config file is the operator's own word; the others are guests. */
export type CameraOrigin = 'config' | 'socket' | 'page' | 'topic';

/**
 * The secrets of this machine that a guest camera may use. Nothing else is resolved: a guest also chooses the host that
 * receives the secret (CWE-73, CWE-522).
 */
export const allowedSecrets = z.strictObject({
  /** Folder of the files that `passwordFile`, `${file:…}` and `tls.ca` may name; null: none. */
  dir: z.string().min(1).nullable().default(null),
  /** Environment variables that `${NAME}` may name: names, or prefixes that end with `*`. */
  env: z
    .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*\*?$/, 'must be a name, or a prefix that ends with *'))
    .default([]),
  /** Hosts that may receive these secrets: names, addresses or networks; null: every host that `sources` allows. */
  hosts: z.array(addressEntry).nullable().default(null),
});

/** The sources that a guest camera may open. The control socket is exempt: its user can open them anyway. */
export const allowedSources = z.strictObject({
  /** Files and devices of `file://` and `v4l2://` URLs: these paths, and what is below them. */
  paths: z.array(z.string().startsWith('/', 'must be an absolute path')).default([]),
  /**
   * Hosts of other URLs: names, addresses or networks. Null: every address but this machine's own, link-local ones
   * (cloud metadata among them) and multicast.
   */
  networks: z.array(addressEntry).nullable().default(null),
});

/** What guest cameras may use of this machine. */
export interface AllowList {
  readonly secrets: z.output<typeof allowedSecrets>;
  readonly sources: z.output<typeof allowedSources>;
}

export const NOTHING_ALLOWED: AllowList = {
  secrets: allowedSecrets.parse({}),
  sources: allowedSources.parse({}),
};
