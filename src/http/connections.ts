import type { IncomingMessage, Server } from 'node:http';
import { BlockList, isIP, type Socket } from 'node:net';

/** Open connections of one client address, and of all together. A browser opens six to one host. */
const MAX_PER_ADDRESS = 64;
const MAX_TOTAL = 256;

/**
 * Bounds the open connections. Beyond a bound the oldest connection is closed that no signed-in person uses: whoever
 * opens thousands only loses their own, and the newest request is always answered.
 */
export class Connections {
  /** In the order of their opening. */
  readonly #open = new Map<Socket, string>();
  readonly #kept = new WeakSet<Socket>();
  readonly #proxies = new BlockList();

  /** `proxies`: addresses that speak for many clients; only the total bounds them. */
  constructor(proxies: readonly string[]) {
    for (const proxy of proxies) {
      const [address, bits] = proxy.split('/') as [string, string?];
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      if (bits === undefined) this.#proxies.addAddress(address, family);
      else this.#proxies.addSubnet(address, Number(bits), family);
    }
  }

  /** Bounds the connections of this server. */
  watch(server: Server): void {
    server.on('connection', (socket) => this.#add(socket));
  }

  /** Marks the connection of a request as that of a signed-in person. */
  keep({ socket }: IncomingMessage): void {
    this.#kept.add(socket);
  }

  #add(socket: Socket): void {
    const address = clientNetwork(socket.remoteAddress ?? '');
    this.#open.set(socket, address);
    socket.once('close', () => this.#open.delete(socket));
    if (this.#open.size > MAX_TOTAL) this.#closeOldest([...this.#open.keys()]);
    if (this.#isProxy(address)) return;
    const same = [...this.#open].flatMap(([other, of]) => (of === address ? other : []));
    if (same.length > MAX_PER_ADDRESS) this.#closeOldest(same);
  }

  #closeOldest(sockets: readonly Socket[]): void {
    const oldest = sockets.find((socket) => !this.#kept.has(socket)) ?? sockets.at(-1)!;
    this.#open.delete(oldest);
    oldest.destroy();
  }

  #isProxy(address: string): boolean {
    return isIP(address) !== 0 && this.#proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
}

/** The address of a client, for counting: IPv4 as it is, of IPv6 the first 64 bits, since a client owns all of them. */
export function clientNetwork(address: string): string {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (v4 !== undefined || isIP(address) !== 6) return v4 ?? address;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const groups = head.split(':').filter(Boolean);
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').filter(Boolean).length;
  const all = [
    ...groups,
    ...Array<string>(Math.max(0, missing)).fill('0'),
    ...(tail ?? '').split(':').filter(Boolean),
  ];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::`;
}
