import { type Labels, type NetworkPolicy, type PolicyPeer, type PolicyRule, selects } from './objects.ts';

/** A pod that policies may select as a peer. */
interface Peer {
  readonly address: string;
  readonly namespace: Labels;
  readonly labels: Labels;
}

interface PodPlacement {
  readonly labels: Labels;
  /** Labels of the namespace of the pod and of the policies. */
  readonly namespace: Labels;
  readonly peers: readonly Peer[];
  /** Address of the node: policies never block the kubelet. */
  readonly node: string;
}

/** Error code of a connection that a policy rejects; a port without a listener gives ECONNREFUSED. */
export const REJECTED = 'EHOSTUNREACH';

/** Translates the policies into nftables rules for one pod's network namespace, as a network plugin would. */
export function firewall(policies: readonly NetworkPolicy[], pod: PodPlacement): string {
  const own = policies.filter(({ spec }) => selects(spec.podSelector, pod.labels));
  const chain = (direction: 'ingress' | 'egress', hook: string, address: string) => {
    const isolating = own.filter(({ spec }) =>
      spec.policyTypes
        ? spec.policyTypes.some((type) => type.toLowerCase() === direction)
        : direction === 'ingress' || spec.egress !== undefined,
    );
    const rules = isolating.flatMap(({ spec }) => spec[direction] ?? []);
    const lines = rules.flatMap((rule) => allow(rule, address, pod));
    return [
      `  chain ${direction} {`,
      `    type filter hook ${hook} priority 0; policy accept;`,
      '    ct state established,related accept',
      `    ${direction === 'ingress' ? 'iif' : 'oif'} lo accept`,
      ...(direction === 'ingress' ? [`    ip saddr ${pod.node} accept`] : []),
      ...lines.map((line) => `    ${line} accept`),
      // Not a TCP reset, which would look like a port without a listener.
      ...(isolating.length > 0 ? ['    reject with icmpx type host-unreachable'] : []),
      '  }',
    ].join('\n');
  };
  return `table inet policies {\n${chain('ingress', 'input', 'saddr')}\n${chain('egress', 'output', 'daddr')}\n}\n`;
}

function allow(rule: PolicyRule, side: string, pod: PodPlacement): string[] {
  const peers = rule.from ?? rule.to;
  const hosts = peers ? peers.flatMap((peer) => addresses(peer, side, pod)) : [''];
  const ports = rule.ports
    ? rule.ports.map(({ protocol = 'TCP', port, endPort }) => {
        if (typeof port === 'string') throw new Error(`named ports are not supported: ${port}`);
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
    .filter((candidate) =>
      peer.namespaceSelector
        ? selects(peer.namespaceSelector, candidate.namespace)
        : JSON.stringify(candidate.namespace) === JSON.stringify(namespace),
    )
    .filter((candidate) => !peer.podSelector || selects(peer.podSelector, candidate.labels))
    .map(({ address }) => `ip ${side} ${address}`);
}
