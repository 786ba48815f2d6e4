import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });

/**
 * A small cluster network: this host is the node, with additional addresses for the pods' peers; each pod has its own
 * network namespace and veth pair. Addresses are from 198.18.0.0/15, reserved for tests (RFC 2544).
 */
export class ClusterNetwork {
  readonly #id = randomInt(256);
  readonly #namespaces: string[] = [];
  readonly #addresses: string[] = [];

  /** Adds an address to this host, for a peer of the pods. */
  address(last: number): string {
    const address = `198.18.${this.#id}.${last}`;
    ip('addr', 'add', `${address}/32`, 'dev', 'lo');
    this.#addresses.push(address);
    return address;
  }

  /** Creates a pod's network namespace. */
  pod(): PodNetwork {
    const index = this.#namespaces.length;
    const [node, address] = [1, 2].map((host) => `198.18.${this.#id}.${4 * index + host}`) as [
      string,
      string,
    ];
    const [name, outside] = [`aup${this.#id}-${index}`, `auv${this.#id}-${index}`];
    ip('netns', 'add', name);
    this.#namespaces.push(name);
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('addr', 'add', `${node}/30`, 'dev', outside);
    ip('link', 'set', outside, 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('-n', name, 'addr', 'add', `${address}/30`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
    ip('-n', name, 'route', 'add', 'default', 'via', node);
    return { name, node, address };
  }

  /** Replaces the nftables rules in a pod's namespace. */
  enforce({ name }: PodNetwork, rules: string): void {
    const nft = (input: string) => execFileSync('ip', ['netns', 'exec', name, 'nft', '-f', '-'], { input });
    nft(`flush ruleset\n${rules}`);
  }

  [Symbol.dispose](): void {
    for (const name of this.#namespaces) ip('netns', 'del', name);
    for (const address of this.#addresses) ip('addr', 'del', `${address}/32`, 'dev', 'lo');
  }
}

export interface PodNetwork {
  /** Name of the network namespace. */
  readonly name: string;
  /** Address of this host, as seen from the pod. */
  readonly node: string;
  readonly address: string;
}
