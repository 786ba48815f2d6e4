import type { Manifest } from '../render.ts';
import { type Check, selects, workloads } from './index.ts';

const COMPONENT = 'app.kubernetes.io/component';
/** Seconds that a worker needs after SIGTERM: its last transaction, or what waits for the brokers. */
const GRACE: Readonly<Record<string, number>> = { ingest: 30, infer: 60, run: 30 };
const PROBED: Readonly<Record<string, string>> = {
  startupProbe: '/healthz',
  livenessProbe: '/healthz',
  readinessProbe: '/readyz',
};

/** What austream's own pods must have beyond what the standard asks for. */
export const pods: Check = (objects, report) => {
  for (const workload of workloads(objects)) {
    const { template, selector } = workload.spec;
    const pod: Manifest = template.spec;
    const { labels } = template.metadata;
    const say = (message: string) => report(workload, message);
    if (!selects(selector, labels)) say('selects none of its own pods');
    if (pod.automountServiceAccountToken !== false) say('mounts a token of the API server');
    if ((pod.terminationGracePeriodSeconds ?? 30) < GRACE[labels[COMPONENT]]!)
      say('is killed before it is done');
    for (const container of [...(pod.initContainers ?? []), ...pod.containers]) containerOf(container, say);
    for (const container of pod.containers) probes(container, say);
    mounts(pod, say);
    gpu(pod, say);
    for (const { labelSelector } of pod.topologySpreadConstraints ?? [])
      if (!selects(labelSelector, labels)) say('spreads pods that are not its own');
  }
};

function containerOf({ image, resources, securityContext }: Manifest, say: (message: string) => void): void {
  if (!/^[^:@]+(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})$/.test(image))
    say(`image ${image} has no fixed tag`);
  for (const what of ['cpu', 'memory'])
    for (const kind of ['requests', 'limits']) if (!resources?.[kind]?.[what]) say(`${kind} no ${what}`);
  if (securityContext?.readOnlyRootFilesystem !== true) say('can write to its root');
}

function probes(container: Manifest, say: (message: string) => void): void {
  const names = (container.ports ?? []).map((port: Manifest) => port.name);
  for (const [probe, path] of Object.entries(PROBED)) {
    const get = container[probe]?.httpGet;
    if (get?.path !== path) say(`${probe} does not ask for ${path}`);
    else if (!names.includes(get.port))
      say(`${probe} asks port ${get.port}, which the container does not name`);
  }
}

function mounts(pod: Manifest, say: (message: string) => void): void {
  const volumes = new Set<string>((pod.volumes ?? []).map(({ name }: Manifest) => name));
  const mounted = new Set<string>();
  for (const { volumeMounts = [] } of [...(pod.initContainers ?? []), ...pod.containers])
    for (const { name } of volumeMounts) {
      mounted.add(name);
      if (!volumes.has(name)) say(`mounts volume ${name}, which it does not have`);
    }
  for (const name of volumes) if (!mounted.has(name)) say(`has volume ${name}, which it does not mount`);
}

/** A GPU is asked for, and the pod may go where there are some; or neither. */
function gpu(pod: Manifest, say: (message: string) => void): void {
  const limit = pod.containers.some(({ resources }: Manifest) => resources?.limits?.['nvidia.com/gpu']);
  if (!limit) return;
  if (!(pod.tolerations ?? []).some(({ key }: Manifest) => key === 'nvidia.com/gpu'))
    say('wants a GPU and does not tolerate the taint of nodes that have one');
  const terms =
    pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const keys = terms.flatMap(({ matchExpressions = [] }: Manifest) =>
    matchExpressions.map(({ key }: Manifest) => key),
  );
  if (!keys.includes('nvidia.com/gpu.product')) say('wants any GPU: it names no product');
}
