import type { Config } from '../../../src/config/schema.ts';
import type { Manifest } from '../render.ts';
import { configOf } from './config.ts';
import { type Check, ofKind, selects, workloads } from './index.ts';

/** RTSP ports of cameras. */
const RTSP = [554, 8554];

/** A connection that a policy allows; port 0 means every port. */
interface Connection {
  readonly direction: 'in' | 'out';
  readonly peer: string;
  readonly port: number;
}

/** The connections that the policies allow to and from a pod with these labels. */
function allowedConnections(objects: readonly Manifest[], labels: Record<string, string>): Connection[] {
  const chosen = ofKind(objects, 'NetworkPolicy').filter(({ spec }) => selects(spec.podSelector, labels));
  return chosen.flatMap(({ spec }) => [
    ...(spec.ingress ?? []).flatMap((rule: Manifest) => connectionsOf('in', rule.from, rule.ports)),
    ...(spec.egress ?? []).flatMap((rule: Manifest) => connectionsOf('out', rule.to, rule.ports)),
  ]);
}

/** A rule without peers allows everybody, one without ports every port. */
function connectionsOf(
  direction: Connection['direction'],
  peers: Manifest[] = [{}],
  ports: Manifest[] = [{ port: 0 }],
): Connection[] {
  return peers.flatMap((peer) => ports.map(({ port }) => ({ direction, peer: nameOf(peer), port })));
}

function nameOf({ ipBlock, namespaceSelector, podSelector }: Manifest): string {
  if (ipBlock) return ipBlock.cidr;
  const parts = [namespaceSelector, podSelector].map(
    (selector) => Object.values(selector?.matchLabels ?? {})[0],
  );
  return parts.filter(Boolean).join('/') || 'everybody';
}

const describeConnection = ({ direction, peer, port }: Connection) => `${direction} ${peer}:${port}`;

/** If there are policies, they allow each workload exactly the connections that its config and components need. */
export const network: Check = (objects, report) => {
  const policies = ofKind(objects, 'NetworkPolicy');
  if (policies.length === 0) return;
  const deniesByDefault = policies.some(
    ({ spec }) =>
      Object.keys(spec.podSelector).length === 0 &&
      ['Ingress', 'Egress'].every((type) => spec.policyTypes.includes(type)) &&
      !spec.ingress &&
      !spec.egress,
  );
  if (!deniesByDefault) report(policies[0]!, 'no policy denies other traffic');
  for (const workload of workloads(objects)) {
    const { metadata, spec } = workload.spec.template;
    const allowed = allowedConnections(objects, metadata.labels);
    const config = configOf(objects, workload);
    if (!config) continue;
    const needed = neededConnections(objects, workload, spec, config);
    for (const connection of allowed) {
      const wide = connection.peer === 'everybody' || connection.peer.endsWith('/0') || connection.port === 0;
      if (wide || !needed.has(`${connection.direction} ${connection.port}`))
        report(workload, `allows an unneeded connection: ${describeConnection(connection)}`);
    }
    for (const need of needed)
      if (!allowed.some(({ direction, port }) => `${direction} ${port}` === need))
        report(workload, `lacks a needed connection: ${need}`);
  }
};

function neededConnections(
  objects: readonly Manifest[],
  workload: Manifest,
  pod: Manifest,
  config: Config,
): Set<string> {
  const [{ env = [] }] = pod.containers;
  const endpoint = env.find(({ name }: Manifest) => name === 'OTEL_EXPORTER_OTLP_ENDPOINT')?.value;
  const cameraPorts = workload.metadata.name === 'infer' ? [] : RTSP;
  const out = [
    53,
    ...(config.kafka.brokers ?? []).map((broker) => Number(broker.split(':')[1])),
    ...cameraPorts,
    ...config.cameras.map(({ url }) => Number(new URL(url).port || 554)),
    ...(endpoint ? [Number(new URL(endpoint).port)] : []),
    ...(config.kafka.registry ? [Number(new URL(config.kafka.registry.url).port || 443)] : []),
  ];
  const scraped = ofKind(objects, 'PodMonitor').some(({ spec }) =>
    selects(spec.selector, workload.spec.template.metadata.labels),
  );
  return new Set([
    ...out.map((port) => `out ${port}`),
    ...(scraped || config.http.token || config.dashboard.users.length > 0 ? [`in ${config.http.port}`] : []),
  ]);
}
