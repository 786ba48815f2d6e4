import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { kubernetesTools } from './tools.ts';

export const K8S = fileURLToPath(new URL('../../deploy/k8s', import.meta.url));
export const OVERLAYS = ['single-node', 'gpu-cluster', 'edge/site', 'edge/central'] as const;

/** A Kubernetes object as parsed from YAML. */
// biome-ignore lint/suspicious/noExplicitAny: manifests are open objects; schemas.ts validates them
export type Manifest = Record<string, any>;

const run = promisify(execFile);

/** The objects that `kubectl apply -k` would apply. */
export async function render(folder: string): Promise<Manifest[]> {
  const { kubectl } = await kubernetesTools();
  const { stdout } = await run(kubectl, ['kustomize', folder], { maxBuffer: 32 * 1024 * 1024 });
  return parseAllDocuments(stdout).map((document) => document.toJS());
}

/** Renders folders of deploy/k8s and components (by name) in one kustomization. */
export async function renderTogether(
  resources: readonly string[],
  components: readonly string[],
): Promise<Manifest[]> {
  const folder = await mkdtemp(join(tmpdir(), 'austream-kustomize-'));
  const paths = (names: readonly string[]) => names.map((name) => relative(folder, join(K8S, name)));
  try {
    const kustomization = {
      resources: paths(resources),
      components: paths(components.map((name) => `components/${name}`)),
    };
    await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
    return await render(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
