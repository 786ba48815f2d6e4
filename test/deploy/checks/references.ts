import { readFileSync } from 'node:fs';
import type { Manifest } from '../render.ts';
import { type Check, named, ofKind, type Report, selects, workloads } from './index.ts';

const GUIDE = readFileSync(new URL('../../../docs/deploying.md', import.meta.url), 'utf8');
/** Keys of the secrets that Strimzi creates. */
const CA_KEYS = ['ca.crt', 'ca.p12', 'ca.password'];
const USER_KEYS = ['ca.crt', 'user.crt', 'user.key', 'user.p12', 'user.password'];

/** The secrets and claims in the guide's table, which the user creates: name → keys. */
function documented(): Map<string, string[]> {
  const rows = GUIDE.matchAll(/^\| (?:secret|claim) `([\w-]+)` \| ([^|]*) \|/gm);
  return new Map(
    [...rows].map(([, name, keys]) => [name!, [...keys!.matchAll(/`([\w.-]+)`/g)].map(([, key]) => key!)]),
  );
}

/** All secrets that will exist: name → keys, or null if the keys are unknown. */
function secretsOf(objects: readonly Manifest[]): Map<string, readonly string[] | null> {
  const secrets = new Map<string, readonly string[] | null>(documented());
  for (const { metadata } of ofKind(objects, 'Kafka'))
    secrets.set(`${metadata.name}-cluster-ca-cert`, CA_KEYS);
  for (const { metadata } of ofKind(objects, 'KafkaUser')) secrets.set(metadata.name, USER_KEYS);
  for (const { spec } of ofKind(objects, 'ExternalSecret')) secrets.set(spec.target.name, null);
  return secrets;
}

/** References between objects, which the API server does not check before it creates pods. */
export const references: Check = (objects, report) => {
  const secrets = secretsOf(objects);
  const needSecret = (object: Manifest, name: string, keys: readonly string[]) => {
    const known = secrets.get(name);
    if (known === undefined) report(object, `secret ${name} is neither in these manifests nor in the guide`);
    for (const key of keys)
      if (known && !known.includes(key)) report(object, `secret ${name} has no key ${key}`);
  };
  const namespaces = new Set(ofKind(objects, 'Namespace').map(({ metadata }) => metadata.name));
  for (const object of objects)
    if (object.metadata.namespace && !namespaces.has(object.metadata.namespace))
      report(object, `namespace ${object.metadata.namespace} is not in these manifests`);
  for (const workload of workloads(objects)) {
    const pod: Manifest = workload.spec.template.spec;
    for (const [kind, name] of [
      ['ServiceAccount', pod.serviceAccountName],
      ['PriorityClass', pod.priorityClassName],
    ] as const)
      if (!named(objects, kind, name)) report(workload, `${kind} ${name} is not in these manifests`);
    for (const volume of pod.volumes ?? []) {
      for (const source of [volume, ...(volume.projected?.sources ?? [])]) {
        const keys = ((source.configMap ?? source.secret)?.items ?? []).map(({ key }: Manifest) => key);
        if (source.configMap) needConfigMap(objects, workload, source.configMap.name, keys, report);
        const secret = source.secret?.name ?? source.secret?.secretName;
        if (secret && !source.secret.optional) needSecret(workload, secret, keys);
      }
      const claim = volume.persistentVolumeClaim?.claimName;
      if (claim && !named(objects, 'PersistentVolumeClaim', claim) && !secrets.has(claim))
        report(workload, `claim ${claim} is neither in these manifests nor in the guide`);
    }
    for (const { env = [] } of pod.containers)
      for (const { valueFrom } of env)
        if (valueFrom?.secretKeyRef)
          needSecret(workload, valueFrom.secretKeyRef.name, [valueFrom.secretKeyRef.key]);
  }
  for (const object of ofKind(objects, 'TriggerAuthentication'))
    for (const { name, key } of object.spec.secretTargetRef ?? []) needSecret(object, name, [key]);
  checkSelectors(objects, report);
};

function needConfigMap(
  objects: readonly Manifest[],
  from: Manifest,
  name: string,
  keys: readonly string[],
  report: Report,
): void {
  const map = named(objects, 'ConfigMap', name);
  if (!map) report(from, `ConfigMap ${name} is not in these manifests`);
  for (const key of keys) if (map && !(key in map.data)) report(from, `ConfigMap ${name} has no key ${key}`);
}

/** Services, budgets and monitors select pods with the ports that they name. */
function checkSelectors(objects: readonly Manifest[], report: Report): void {
  const selectedBy = (selector: Manifest | undefined) =>
    workloads(objects).filter(({ spec }) => selects(selector, spec.template.metadata.labels));
  const portsOf = (workload: Manifest) =>
    workload.spec.template.spec.containers.flatMap(({ ports = [] }: Manifest) =>
      ports.map(({ name }: Manifest) => name),
    );
  for (const service of ofKind(objects, 'Service')) {
    const selected = selectedBy({ matchLabels: service.spec.selector });
    if (selected.length !== 1) report(service, `selects ${selected.length} workloads instead of one`);
    for (const { targetPort } of service.spec.ports)
      if (selected[0] && !portsOf(selected[0]).includes(targetPort))
        report(service, `targets the unknown port ${targetPort}`);
  }
  const budgets = ofKind(objects, 'PodDisruptionBudget');
  for (const budget of budgets) {
    const selected = selectedBy(budget.spec.selector);
    if (selected.length !== 1) report(budget, `selects ${selected.length} workloads instead of one`);
  }
  for (const monitor of ofKind(objects, 'PodMonitor')) {
    if (!monitor.spec.selector.matchLabels?.['app.kubernetes.io/part-of']) continue;
    const selected = selectedBy(monitor.spec.selector);
    if (selected.length === 0) report(monitor, 'selects no workload');
    for (const { port } of monitor.spec.podMetricsEndpoints)
      if (!selected.every((workload) => portsOf(workload).includes(port)))
        report(monitor, `scrapes the unknown port ${port}`);
  }
}
