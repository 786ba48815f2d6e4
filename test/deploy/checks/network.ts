import type { Config } from '../../../src/config/schema.ts';
import type { Manifest } from '../render.ts';
import { configOf } from './config.ts';
import { type Check, ofKind, selects, workloads } from './index.ts';

/** Where cameras listen. */
const RTSP = [554, 8554];

/** A way that a policy opens: which direction, to or from whom, and the port. */
interface Way {
  readonly direction: 'in' | 'out';
  readonly peer: string;
  readonly port: number;
}

/** Ways to and from a pod, by what policies say about its labels. */
export function waysOf(objects: readonly Manifest[], labels: Record<string, string>): Way[] {
  const chosen = ofKind(objects, 'NetworkPolicy').filter(({ spec }) => selects(spec.podSelector, labels));
  return chosen.flatMap(({ spec }) => [
    ...(spec.ingress ?? []).flatMap((rule: Manifest) => opened('in', rule.from, rule.ports)),
    ...(spec.egress ?? []).flatMap((rule: Manifest) => opened('out', rule.to, rule.ports)),
  ]);
}

/** No peers mean everybody, no ports every port. */
function opened(
  direction: Way['direction'],
  peers: Manifest[] = [{}],
  ports: Manifest[] = [{ port: 0 }],
): Way[] {
  return peers.flatMap((peer) => ports.map(({ port }) => ({ direction, peer: nameOf(peer), port })));
}

function nameOf({ ipBlock, namespaceSelector, podSelector }: Manifest): string {
  if (ipBlock) return ipBlock.cidr;
  const parts = [namespaceSelector, podSelector].map(
    (selector) => Object.values(selector?.matchLabels ?? {})[0],
  );
  return parts.filter(Boolean).join('/') || 'everybody';
}

const show = ({ direction, peer, port }: Way) => `${direction} ${peer}:${port}`;

/** Where there are policies, each workload has the ways that its config and its components need, and no others. */
export const network: Check = (objects, report) => {
  const policies = ofKind(objects, 'NetworkPolicy');
  if (policies.length === 0) return;
  const closed = policies.some(
    ({ spec }) =>
      Object.keys(spec.podSelector).length === 0 &&
      ['Ingress', 'Egress'].every((type) => spec.policyTypes.includes(type)) &&
      !spec.ingress &&
      !spec.egress,
  );
  if (!closed) report(policies[0]!, 'leaves what no policy names open');
  for (const workload of workloads(objects)) {
    const { metadata, spec } = workload.spec.template;
    const ways = waysOf(objects, metadata.labels);
    const config = configOf(objects, workload);
    if (!config) continue;
    const needed = neededBy(objects, workload, spec, config);
    for (const way of ways) {
      const wide = way.peer === 'everybody' || way.peer.endsWith('/0') || way.port === 0;
      if (wide || !needed.has(`${way.direction} ${way.port}`))
        report(workload, `has a way it does not need: ${show(way)}`);
    }
    for (const need of needed)
      if (!ways.some(({ direction, port }) => `${direction} ${port}` === need))
        report(workload, `lacks a way: ${need}`);
  }
};

function neededBy(
  objects: readonly Manifest[],
  workload: Manifest,
  pod: Manifest,
  config: Config,
): Set<string> {
  const [{ env = [] }] = pod.containers;
  const endpoint = env.find(({ name }: Manifest) => name === 'OTEL_EXPORTER_OTLP_ENDPOINT')?.value;
  const watched = workload.metadata.name === 'infer' ? [] : RTSP;
  const out = [
    53,
    ...(config.kafka.brokers ?? []).map((broker) => Number(broker.split(':')[1])),
    ...watched,
    ...config.cameras.map(({ url }) => Number(new URL(url).port || 554)),
    ...(endpoint ? [Number(new URL(endpoint).port)] : []),
    ...(config.kafka.registry ? [Number(new URL(config.kafka.registry.url).port || 443)] : []),
  ];
  const scraped = ofKind(objects, 'PodMonitor').some(({ spec }) =>
    selects(spec.selector, workload.spec.template.metadata.labels),
  );
  return new Set([
    ...out.map((port) => `out ${port}`),
    ...(scraped || config.http.token ? [`in ${config.http.port}`] : []),
  ]);
}
