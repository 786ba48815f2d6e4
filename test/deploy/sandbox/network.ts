import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });

/**
 * A small cluster's network: this host is the node, with further addresses for whatever pods talk to, and each pod has
 * a network namespace and a cable of its own. Addresses are those set aside for testing networks (198.18.0.0/15).
 */
export class ClusterNetwork {
  readonly #id = randomInt(256);
  readonly #namespaces: string[] = [];
  readonly #addresses: string[] = [];

  /** An address of this host's, for a peer of the pods. */
  address(last: number): string {
    const address = `198.18.${this.#id}.${last}`;
    ip('addr', 'add', `${address}/32`, 'dev', 'lo');
    this.#addresses.push(address);
    return address;
  }

  /** A pod's namespace. */
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

  /** Puts nftables rules into force in a pod's namespace, in place of those there. */
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
  /** Of the network namespace. */
  readonly name: string;
  /** This host as the pod sees it. */
  readonly node: string;
  readonly address: string;
}
