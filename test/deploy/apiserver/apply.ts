/**
 * Applies every overlay, and all components together, to a real kube-apiserver with Pod Security admission: first as a
 * dry run, then truly, then a pod of each template. Not part of the tests, for the server must be built first; needs Go
 * and etcd (Debian: etcd-server). Usage: node test/deploy/apiserver/apply.ts
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workloads } from '../checks/index.ts';
import { K8S, type Manifest, OVERLAYS, render, renderTogether } from '../render.ts';
import { ApiServer } from './servers.ts';

const CRDS = new URL('../crds/crds.ndjson', import.meta.url);
/** Every component that goes together with the others. */
const TOGETHER = [
  ...['dashboard', 'external-secrets', 'gpu', 'kafka-strimzi', 'keda-strimzi', 'model-image'],
  ...['network-policies', 'otel', 'prometheus', 'registry'],
];

const stream = (objects: readonly Manifest[]) =>
  objects.map((object) => JSON.stringify(object)).join('\n---\n');
const APPLY = ['apply', '--server-side', '--force-conflicts', '-f', '-'];

/** Applies objects; an answer with a warning is a failure. */
async function apply(api: ApiServer, objects: readonly Manifest[], ...more: string[]): Promise<void> {
  const { stderr } = await api.kubectl([...APPLY, ...more], stream(objects));
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
  // What others need to be there: a dry run keeps nothing.
  await apply(
    api,
    objects.filter(({ kind }) => ['Namespace', 'PriorityClass', 'ServiceAccount'].includes(kind)),
  );
  await apply(api, objects, '--dry-run=server');
  await apply(api, objects);
  const pods = workloads(objects).map(podOf);
  await apply(api, pods, '--dry-run=server');
  process.stdout.write(`${name}: ${objects.length} objects and ${pods.length} pods taken\n`);
}

/** What must be refused, so that what is taken means something. */
async function refused(api: ApiServer, what: string, object: Manifest): Promise<void> {
  const answer = await apply(api, [object], '--dry-run=server').catch((error: Error) => error);
  if (!(answer instanceof Error)) throw new Error(`${what} was taken`);
  process.stdout.write(`${what}: refused\n`);
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
  const all = await renderTogether(['base', 'base/run'], TOGETHER);
  await applyAll(api, 'all components', all);
  const pod = podOf(workloads(all)[0]!);
  const broken = structuredClone(pod);
  broken.spec.containers[0].securityContext.capabilities = { add: ['SYS_ADMIN'] };
  await refused(api, 'a pod with SYS_ADMIN', broken);
  const misspelt = structuredClone(all.find(({ kind }) => kind === 'ScaledObject')!);
  misspelt.spec.maxReplicas = 3;
  await refused(api, 'a misspelt field of KEDA', misspelt);
} finally {
  await api.stop();
}
