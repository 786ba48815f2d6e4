import { readFileSync } from 'node:fs';
import type { Manifest } from '../render.ts';
import { type Check, named, ofKind, type Report, selects, workloads } from './index.ts';

const GUIDE = readFileSync(new URL('../../../docs/deploying.md', import.meta.url), 'utf8');
/** Keys that Strimzi puts into the secrets that it makes. */
const CA_KEYS = ['ca.crt', 'ca.p12', 'ca.password'];
const USER_KEYS = ['ca.crt', 'user.crt', 'user.key', 'user.p12', 'user.password'];

/** Secrets and claims that the guide's table tells people to make: name → keys. */
function documented(): Map<string, string[]> {
  const rows = GUIDE.matchAll(/^\| (?:secret|claim) `([\w-]+)` \| ([^|]*) \|/gm);
  return new Map(
    [...rows].map(([, name, keys]) => [name!, [...keys!.matchAll(/`([\w.-]+)`/g)].map(([, key]) => key!)]),
  );
}

/** Every secret that will be there: name → keys, or null where nobody knows them. */
function secretsOf(objects: readonly Manifest[]): Map<string, readonly string[] | null> {
  const secrets = new Map<string, readonly string[] | null>(documented());
  for (const { metadata } of ofKind(objects, 'Kafka'))
    secrets.set(`${metadata.name}-cluster-ca-cert`, CA_KEYS);
  for (const { metadata } of ofKind(objects, 'KafkaUser')) secrets.set(metadata.name, USER_KEYS);
  for (const { spec } of ofKind(objects, 'ExternalSecret')) secrets.set(spec.target.name, null);
  return secrets;
}

/** Names by which objects refer to others, and which nobody checks before pods are made. */
export const references: Check = (objects, report) => {
  const secrets = secretsOf(objects);
  const needSecret = (object: Manifest, name: string, keys: readonly string[]) => {
    const known = secrets.get(name);
    if (known === undefined) report(object, `secret ${name} is neither made here nor asked for in the guide`);
    for (const key of keys)
      if (known && !known.includes(key)) report(object, `secret ${name} has no key ${key}`);
  };
  const namespaces = new Set(ofKind(objects, 'Namespace').map(({ metadata }) => metadata.name));
  for (const object of objects)
    if (object.metadata.namespace && !namespaces.has(object.metadata.namespace))
      report(object, `namespace ${object.metadata.namespace} is not made here`);
  for (const workload of workloads(objects)) {
    const pod: Manifest = workload.spec.template.spec;
    for (const [kind, name] of [
      ['ServiceAccount', pod.serviceAccountName],
      ['PriorityClass', pod.priorityClassName],
    ] as const)
      if (!named(objects, kind, name)) report(workload, `${kind} ${name} is not made here`);
    for (const volume of pod.volumes ?? []) {
      for (const source of [volume, ...(volume.projected?.sources ?? [])]) {
        const keys = ((source.configMap ?? source.secret)?.items ?? []).map(({ key }: Manifest) => key);
        if (source.configMap) needConfigMap(objects, workload, source.configMap.name, keys, report);
        const secret = source.secret?.name ?? source.secret?.secretName;
        if (secret && !source.secret.optional) needSecret(workload, secret, keys);
      }
      const claim = volume.persistentVolumeClaim?.claimName;
      if (claim && !named(objects, 'PersistentVolumeClaim', claim) && !secrets.has(claim))
        report(workload, `claim ${claim} is neither made here nor asked for in the guide`);
    }
    for (const { env = [] } of pod.containers)
      for (const { valueFrom } of env)
        if (valueFrom?.secretKeyRef)
          needSecret(workload, valueFrom.secretKeyRef.name, [valueFrom.secretKeyRef.key]);
  }
  for (const object of ofKind(objects, 'TriggerAuthentication'))
    for (const { name, key } of object.spec.secretTargetRef ?? []) needSecret(object, name, [key]);
  selectors(objects, report);
};

function needConfigMap(
  objects: readonly Manifest[],
  from: Manifest,
  name: string,
  keys: readonly string[],
  report: Report,
): void {
  const map = named(objects, 'ConfigMap', name);
  if (!map) report(from, `ConfigMap ${name} is not made here`);
  for (const key of keys) if (map && !(key in map.data)) report(from, `ConfigMap ${name} has no key ${key}`);
}

/** Services, budgets and monitors find pods, and the ports that they name. */
function selectors(objects: readonly Manifest[], report: Report): void {
  const chosenBy = (selector: Manifest | undefined) =>
    workloads(objects).filter(({ spec }) => selects(selector, spec.template.metadata.labels));
  const portsOf = (workload: Manifest) =>
    workload.spec.template.spec.containers.flatMap(({ ports = [] }: Manifest) =>
      ports.map(({ name }: Manifest) => name),
    );
  for (const service of ofKind(objects, 'Service')) {
    const chosen = chosenBy({ matchLabels: service.spec.selector });
    if (chosen.length !== 1) report(service, `selects ${chosen.length} workloads instead of one`);
    for (const { targetPort } of service.spec.ports)
      if (chosen[0] && !portsOf(chosen[0]).includes(targetPort))
        report(service, `targets no port: ${targetPort}`);
  }
  const budgets = ofKind(objects, 'PodDisruptionBudget');
  for (const budget of budgets) {
    const chosen = chosenBy(budget.spec.selector);
    if (chosen.length !== 1) report(budget, `selects ${chosen.length} workloads instead of one`);
  }
  for (const monitor of ofKind(objects, 'PodMonitor')) {
    if (!monitor.spec.selector.matchLabels?.['app.kubernetes.io/part-of']) continue;
    const chosen = chosenBy(monitor.spec.selector);
    if (chosen.length === 0) report(monitor, 'selects no workload');
    for (const { port } of monitor.spec.podMetricsEndpoints)
      if (!chosen.every((workload) => portsOf(workload).includes(port)))
        report(monitor, `scrapes no port: ${port}`);
  }
}
