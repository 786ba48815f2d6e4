import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { inferCommand } from '../../../src/commands/infer.ts';
import { ingestCommand } from '../../../src/commands/ingest.ts';
import { modelCommand } from '../../../src/commands/model.ts';
import { runCommand } from '../../../src/commands/run.ts';
import { type Config, loadConfig } from '../../../src/config/schema.ts';
import type { Manifest } from '../render.ts';
import { type Check, named, workloads } from './index.ts';

const COMMANDS: readonly Command[] = [runCommand(), ingestCommand(), inferCommand(), modelCommand()];
const FROM_SECRET = 'a value that only the cluster knows';

/** The files that a pod finds in its projected volume, by path; null: from a secret. */
function filesOf(objects: readonly Manifest[], pod: Manifest): Map<string, string | null> {
  const config = pod.containers[0].volumeMounts.find(({ name }: Manifest) => name === 'config');
  const volume = pod.volumes.find(({ name }: Manifest) => name === 'config');
  const files = new Map<string, string | null>();
  for (const { configMap, secret } of volume.projected.sources)
    for (const { key, path } of (configMap ?? secret).items)
      files.set(
        join(config.mountPath, path),
        configMap ? (named(objects, 'ConfigMap', configMap.name)?.data[key] ?? '') : null,
      );
  return files;
}

/** The config of a workload for the other checks; null where it is none, which this one tells. */
export function configOf(objects: readonly Manifest[], workload: Manifest): Config | null {
  try {
    return load(objects, workload);
  } catch {
    return null;
  }
}

/** The config as the workload's process would load it, with the files and the environment that its pod has. */
function load(objects: readonly Manifest[], workload: Manifest): Config {
  const pod: Manifest = workload.spec.template.spec;
  const root = mkdtempSync(join(tmpdir(), 'austream-pod-'));
  try {
    for (const [path, text] of filesOf(objects, pod)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text ?? FROM_SECRET);
    }
    const { args, env = [] } = pod.containers[0];
    const variables = env.map(({ name, value }: Manifest) => [name, value ?? FROM_SECRET]);
    return loadConfig(join(root, args[args.indexOf('--config') + 1]), Object.fromEntries(variables));
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** Arguments are those that austream knows; configs are valid, and name only files that the pod has. */
export const config: Check = (objects, report) => {
  for (const workload of workloads(objects)) {
    const pod: Manifest = workload.spec.template.spec;
    const say = (message: string) => report(workload, message);
    for (const { args } of [...(pod.initContainers ?? []), ...pod.containers]) commandLine(args, say);
    let loaded: Config;
    try {
      loaded = load(objects, workload);
    } catch (error) {
      say((error as Error).message);
      continue;
    }
    const { http, control, cluster, cameras, kafka } = loaded;
    const [container] = pod.containers;
    if (!container.ports.some(({ containerPort }: Manifest) => containerPort === http.port))
      say(`serves port ${http.port}, which is none of its container's`);
    if (http.host !== '0.0.0.0') say(`is probed, and listens on ${http.host} only`);
    if (control.socket !== null) say('has a control socket that nobody can reach');
    if (kafka.embedded) say('has a broker of its own that keeps nothing');
    if (workload.metadata.name === 'ingest' && cluster.cameras === 'config') onlyOne(workload, say);
    if (workload.metadata.name !== 'infer' && cluster.cameras === 'config' && cameras.length === 0)
      say('has no cameras');
    const wantsGpu = Boolean(container.resources?.limits?.['nvidia.com/gpu']);
    if (
      workload.metadata.name !== 'ingest' &&
      wantsGpu !== ['cuda', 'tensorrt'].includes(loaded.infer.device)
    )
      say(`infers on ${loaded.infer.device} and ${wantsGpu ? 'has' : 'has no'} GPU`);
    const files = filesOf(objects, pod);
    for (const path of paths(loaded)) place(path, container, files, say);
    if (
      kafka.spool &&
      container.volumeMounts.some((mount: Manifest) => mount.readOnly && under(kafka.spool!.dir, mount))
    )
      say(`cannot write to ${kafka.spool.dir}`);
  }
};

function commandLine([name, ...rest]: readonly string[], say: (message: string) => void): void {
  let command = COMMANDS.find((known) => known.name() === name);
  const sub = command?.commands.find((known) => known.name() === rest[0]);
  if (sub) command = sub;
  if (!command) {
    say(`austream has no command ${name}`);
    return;
  }
  const { unknown } = command.parseOptions(sub ? rest.slice(1) : [...rest]);
  if (unknown.length > 0) say(`austream ${name} does not know ${unknown.join(' ')}`);
}

function onlyOne({ spec }: Manifest, say: (message: string) => void): void {
  if (spec.replicas !== 1 || spec.strategy?.type !== 'Recreate')
    say('has cameras of its config and may run twice: each would be watched twice');
}

/** Every absolute path in a config. */
function paths(value: unknown): string[] {
  if (typeof value === 'string') return value.startsWith('/') ? [value] : [];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(paths);
}

const under = (path: string, { mountPath }: Manifest) =>
  path === mountPath || path.startsWith(`${mountPath}/`);

function place(
  path: string,
  container: Manifest,
  files: ReadonlyMap<string, string | null>,
  say: (message: string) => void,
): void {
  const over: Manifest[] = container.volumeMounts.filter((mount: Manifest) => under(path, mount));
  const [nearest] = over.sort((a, b) => b.mountPath.length - a.mountPath.length);
  if (!nearest) say(`names ${path}, where nothing is mounted`);
  else if (nearest.name === 'config' && !files.has(path))
    say(`names ${path}, which no source of its config has`);
}
