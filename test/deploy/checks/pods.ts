import type { Manifest } from '../render.ts';
import { type Check, selects, workloads } from './index.ts';

const COMPONENT = 'app.kubernetes.io/component';
/** Seconds that a worker needs after SIGTERM to finish its transaction or to deliver its records. */
const SHUTDOWN_SECONDS: Readonly<Record<string, number>> = { ingest: 30, infer: 60, run: 30 };
const PROBE_PATHS: Readonly<Record<string, string>> = {
  startupProbe: '/healthz',
  livenessProbe: '/healthz',
  readinessProbe: '/readyz',
};

/** Requirements on austream's pods beyond the Pod Security Standards. */
export const pods: Check = (objects, report) => {
  for (const workload of workloads(objects)) {
    const { template, selector } = workload.spec;
    const pod: Manifest = template.spec;
    const { labels } = template.metadata;
    const reportProblem = (message: string) => report(workload, message);
    if (!selects(selector, labels)) reportProblem('does not select its own pods');
    if (pod.automountServiceAccountToken !== false) reportProblem('mounts an API token');
    if ((pod.terminationGracePeriodSeconds ?? 30) < SHUTDOWN_SECONDS[labels[COMPONENT]]!)
      reportProblem('has a grace period that is too short for its shutdown');
    for (const container of [...(pod.initContainers ?? []), ...pod.containers])
      checkContainer(container, reportProblem);
    for (const container of pod.containers) checkProbes(container, reportProblem);
    checkMounts(pod, reportProblem);
    checkGpu(pod, reportProblem);
    for (const { labelSelector } of pod.topologySpreadConstraints ?? [])
      if (!selects(labelSelector, labels)) reportProblem('spreads other workloads’ pods');
  }
};

function checkContainer(
  { image, resources, securityContext }: Manifest,
  reportProblem: (message: string) => void,
): void {
  if (!/^[^:@]+(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})$/.test(image))
    reportProblem(`image ${image} has no fixed tag`);
  for (const what of ['cpu', 'memory'])
    for (const kind of ['requests', 'limits'])
      if (!resources?.[kind]?.[what]) reportProblem(`${kind}.${what} is missing`);
  if (securityContext?.readOnlyRootFilesystem !== true) reportProblem('has a writable root file system');
}

function checkProbes(container: Manifest, reportProblem: (message: string) => void): void {
  const names = (container.ports ?? []).map((port: Manifest) => port.name);
  for (const [probe, path] of Object.entries(PROBE_PATHS)) {
    const get = container[probe]?.httpGet;
    if (get?.path !== path) reportProblem(`${probe} does not probe ${path}`);
    else if (!names.includes(get.port))
      reportProblem(`${probe} probes port ${get.port}, which the container does not name`);
  }
}

function checkMounts(pod: Manifest, reportProblem: (message: string) => void): void {
  const volumes = new Set<string>((pod.volumes ?? []).map(({ name }: Manifest) => name));
  const mounted = new Set<string>();
  for (const { volumeMounts = [] } of [...(pod.initContainers ?? []), ...pod.containers])
    for (const { name } of volumeMounts) {
      mounted.add(name);
      if (!volumes.has(name)) reportProblem(`mounts volume ${name}, which does not exist`);
    }
  for (const name of volumes) if (!mounted.has(name)) reportProblem(`does not mount its volume ${name}`);
}

/** A pod with a GPU limit can be scheduled on GPU nodes. */
function checkGpu(pod: Manifest, reportProblem: (message: string) => void): void {
  const limit = pod.containers.some(({ resources }: Manifest) => resources?.limits?.['nvidia.com/gpu']);
  if (!limit) return;
  if (!(pod.tolerations ?? []).some(({ key }: Manifest) => key === 'nvidia.com/gpu'))
    reportProblem('has a GPU limit but does not tolerate the taint of GPU nodes');
  const terms =
    pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const keys = terms.flatMap(({ matchExpressions = [] }: Manifest) =>
    matchExpressions.map(({ key }: Manifest) => key),
  );
  if (!keys.includes('nvidia.com/gpu.product')) reportProblem('has a GPU limit but selects no GPU product');
}
