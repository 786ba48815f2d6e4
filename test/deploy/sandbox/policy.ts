import { type Labels, type NetworkPolicy, type PolicyPeer, type PolicyRule, selects } from './objects.ts';

/** Somebody whom policies may name. */
export interface Peer {
  readonly address: string;
  readonly namespace: Labels;
  readonly labels: Labels;
}

export interface PodPlacement {
  readonly labels: Labels;
  /** Of the namespace that the pod and the policies are in. */
  readonly namespace: Labels;
  readonly peers: readonly Peer[];
  /** Where the kubelet asks from: no policy keeps it out. */
  readonly node: string;
}

/** Policies' own answer to what they refuse, so that a test can tell it from a port at which nobody listens. */
export const REFUSED = 'EHOSTUNREACH';

/** What a network plugin would make of the policies for one pod: nftables rules inside its network namespace. */
export function firewall(policies: readonly NetworkPolicy[], place: PodPlacement): string {
  const own = policies.filter(({ spec }) => selects(spec.podSelector, place.labels));
  const chain = (direction: 'ingress' | 'egress', hook: string, address: string) => {
    const isolating = own.filter(({ spec }) =>
      spec.policyTypes
        ? spec.policyTypes.some((type) => type.toLowerCase() === direction)
        : direction === 'ingress' || spec.egress !== undefined,
    );
    const rules = isolating.flatMap(({ spec }) => spec[direction] ?? []);
    const lines = rules.flatMap((rule) => allow(rule, address, place));
    return [
      `  chain ${direction} {`,
      `    type filter hook ${hook} priority 0; policy accept;`,
      '    ct state established,related accept',
      `    ${direction === 'ingress' ? 'iif' : 'oif'} lo accept`,
      ...(direction === 'ingress' ? [`    ip saddr ${place.node} accept`] : []),
      ...lines.map((line) => `    ${line} accept`),
      // icmpx and not a reset: nobody listens would look like that.
      ...(isolating.length > 0 ? ['    reject with icmpx type host-unreachable'] : []),
      '  }',
    ].join('\n');
  };
  return `table inet policies {\n${chain('ingress', 'input', 'saddr')}\n${chain('egress', 'output', 'daddr')}\n}\n`;
}

function allow(rule: PolicyRule, side: string, place: PodPlacement): string[] {
  const peers = rule.from ?? rule.to;
  const hosts = peers ? peers.flatMap((peer) => addresses(peer, side, place)) : [''];
  const ports = rule.ports
    ? rule.ports.map(({ protocol = 'TCP', port, endPort }) => {
        if (typeof port === 'string') throw new Error(`policies name ports by number here, not ${port}`);
        const range = endPort === undefined ? port : `${port}-${endPort}`;
        return port === undefined
          ? `meta l4proto ${protocol.toLowerCase()}`
          : `${protocol.toLowerCase()} dport ${range}`;
      })
    : [''];
  return hosts.flatMap((host) => ports.map((port) => [host, port].filter(Boolean).join(' ')));
}

function addresses(peer: PolicyPeer, side: string, { peers, namespace }: PodPlacement): string[] {
  if (peer.ipBlock) {
    if (peer.ipBlock.cidr.includes(':')) return [];
    const except = (peer.ipBlock.except ?? []).map((cidr) => ` ip ${side} != ${cidr}`).join('');
    return [`ip ${side} ${peer.ipBlock.cidr}${except}`];
  }
  return peers
    .filter((neighbour) =>
      peer.namespaceSelector
        ? selects(peer.namespaceSelector, neighbour.namespace)
        : JSON.stringify(neighbour.namespace) === JSON.stringify(namespace),
    )
    .filter((neighbour) => !peer.podSelector || selects(peer.podSelector, neighbour.labels))
    .map(({ address }) => `ip ${side} ${address}`);
}
