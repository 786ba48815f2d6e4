/**
 * Applies every overlay, and all components together, to a real kube-apiserver with Pod Security admission: a dry run, the
 * real apply, and a pod of each template. Not part of the tests, because the server must be built first (half an hour).
 * Needs Go and etcd (Debian: etcd-server). Usage: node test/deploy/apiserver/apply.ts
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workloads } from '../checks/index.ts';
import { K8S, type Manifest, OVERLAYS, render, renderTogether } from '../render.ts';
import { ApiServer } from './servers.ts';

const CRDS = new URL('../crds/crds.ndjson', import.meta.url);
/** All components that can be combined. */
const COMPATIBLE = [
  ...['dashboard', 'external-secrets', 'gpu', 'kafka-strimzi', 'keda-strimzi', 'model-image'],
  ...['network-policies', 'otel', 'prometheus', 'registry'],
];

const stream = (objects: readonly Manifest[]) =>
  objects.map((object) => JSON.stringify(object)).join('\n---\n');
const APPLY = ['apply', '--server-side', '--force-conflicts', '-f', '-'];

/** Applies objects; throws on a warning. */
async function apply(api: ApiServer, objects: readonly Manifest[], ...flags: string[]): Promise<void> {
  const { stderr } = await api.kubectl([...APPLY, ...flags], stream(objects));
  if (/^Warning:/m.test(stderr)) throw new Error(stderr);
}

function podOf({ metadata, spec }: Manifest): Manifest {
  const { template } = spec;
  const { namespace, name } = metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...template.metadata, namespace, name: `${name}-1` },
    spec: template.spec,
  };
}

async function applyAll(api: ApiServer, name: string, objects: readonly Manifest[]): Promise<void> {
  // A dry run stores nothing, so the objects that others depend on are applied first.
  await apply(
    api,
    objects.filter(({ kind }) => ['Namespace', 'PriorityClass', 'ServiceAccount'].includes(kind)),
  );
  await apply(api, objects, '--dry-run=server');
  await apply(api, objects);
  const pods = workloads(objects).map(podOf);
  await apply(api, pods, '--dry-run=server');
  process.stdout.write(`${name}: ${objects.length} objects and ${pods.length} pods accepted\n`);
}

/** Checks that the server rejects an invalid object. */
async function expectRejected(api: ApiServer, what: string, object: Manifest): Promise<void> {
  const outcome = await apply(api, [object], '--dry-run=server').catch((error: Error) => error);
  if (!(outcome instanceof Error)) throw new Error(`${what} was accepted`);
  process.stdout.write(`${what}: rejected\n`);
}

const api = await ApiServer.start();
try {
  const { stdout } = await api.kubectl(['version']);
  process.stdout.write(stdout);
  const crds = readFileSync(CRDS, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Manifest);
  await apply(api, crds);
  await api.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
  for (const name of OVERLAYS) await applyAll(api, name, await render(join(K8S, 'overlays', name)));
  const all = await renderTogether(['base', 'base/run'], COMPATIBLE);
  await applyAll(api, 'all components', all);
  const pod = podOf(workloads(all)[0]!);
  const broken = structuredClone(pod);
  broken.spec.containers[0].securityContext.capabilities = { add: ['SYS_ADMIN'] };
  await expectRejected(api, 'a pod with SYS_ADMIN', broken);
  const misspelled = structuredClone(all.find(({ kind }) => kind === 'ScaledObject')!);
  misspelled.spec.maxReplicas = 3;
  await expectRejected(api, 'a misspelled field of KEDA', misspelled);
} finally {
  await api.stop();
}
