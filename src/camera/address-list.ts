import { lookup } from 'node:dns/promises';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { z } from 'zod';
import { AustreamError } from '../errors.ts';

/** A host name, an IP address, or a network in CIDR notation. */
export const addressEntry = z
  .string()
  .refine(
    (text) => parseNetwork(text) !== null || isHostName(text),
    'must be a host name, an address or a network such as 10.0.0.0/8',
  );

/** Where a camera may be. Every rule of a camera must hold. */
export interface AddressRule {
  /** The option that sets the rule, for the error message. */
  readonly setting: string;
  /** Null: every address but those of `FORBIDDEN` and this machine's own. */
  readonly allow: readonly string[] | null;
}

/**
 * Addresses that are never a camera unless the config names them: this machine, its link (with the metadata services of
 * clouds), multicast, reserved. IPv4 addresses inside IPv6 are included (RFC 4291 2.5.5, RFC 6052, RFC 3056).
 */
const FORBIDDEN = networks([
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  // Metadata services outside of 169.254.0.0/16: Alibaba, Oracle, Azure.
  '100.100.100.200/32',
  '192.0.0.192/32',
  '168.63.129.16/32',
  '::/96',
  'fe80::/10',
  'ff00::/8',
  // Metadata services of AWS and Google.
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
  ...['7f00:0/104', 'a9fe:0/112', '0:0/104'].map((rest) => `64:ff9b::${rest}`),
  ...['2002:7f00::/24', '2002:a9fe::/32', '2002::/24'],
]);

/**
 * The address of a host that every rule allows, to connect to: a second look-up of the name could give another one (DNS
 * rebinding). Throws CAMERA_NOT_ALLOWED, or CAMERA_UNREACHABLE if the host is unknown.
 */
export async function allowedAddress(host: string, rules: readonly AddressRule[]): Promise<string> {
  let addresses: string[];
  try {
    // The resolver also reads other notations of an address: 2130706433, 0x7f.1.
    addresses = (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new AustreamError('CAMERA_UNREACHABLE', `the host ${host} cannot be resolved: ${code}`, { cause });
  }
  const forbidden = addresses.find((address) => rules.some((rule) => !allows(rule, host, address)));
  if (forbidden === undefined && addresses.length > 0) return addresses[0]!;
  const rule = rules.find((candidate) => addresses.some((address) => !allows(candidate, host, address)));
  const where = forbidden === undefined || forbidden === host ? host : `${host} (${forbidden})`;
  throw new AustreamError('CAMERA_NOT_ALLOWED', `${rule?.setting} does not allow a camera at ${where}`, {
    fix: `add its address to ${rule?.setting} in the config of this machine, or put the camera into the config itself`,
  });
}

function allows({ allow }: AddressRule, host: string, address: string): boolean {
  const [unscoped] = address.split('%');
  if (allow === null) return !isIn(FORBIDDEN, unscoped!) && !isOwn(unscoped!);
  const names = allow.filter((entry) => parseNetwork(entry) === null).map(normalName);
  return names.includes(normalName(host)) || isIn(networks(allow), unscoped!);
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

function isOwn(address: string): boolean {
  const own = new BlockList();
  for (const entry of Object.values(networkInterfaces()).flat())
    if (entry) own.addAddress(entry.address.split('%')[0]!, entry.family === 'IPv6' ? 'ipv6' : 'ipv4');
  return isIn(own, address);
}

function networks(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const network = parseNetwork(entry);
    if (network) list.addSubnet(network.address, network.prefix, network.family);
  }
  return list;
}

function parseNetwork(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | null {
  const [address = '', prefixText, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || more.length > 0) return null;
  const bits = version === 4 ? 32 : 128;
  const prefix = prefixText === undefined ? bits : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : -1;
  if (prefix < 0 || prefix > bits) return null;
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

function isHostName(text: string): boolean {
  // The last label of a name is not numeric: 10.0.0 and 0x7f.1 are addresses in other notations.
  return /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z]([a-z0-9-]*[a-z0-9])?\.?$/i.test(text);
}

function normalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
