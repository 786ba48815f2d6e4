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
const FROM_SECRET = 'a value from a secret';

/** The files in a pod's projected volume, by path; null: the content is in a secret. */
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

/** The config of a workload, for the other checks; null if it is invalid, which the check `config` reports. */
export function configOf(objects: readonly Manifest[], workload: Manifest): Config | null {
  try {
    return load(objects, workload);
  } catch {
    return null;
  }
}

/** Loads the config as the workload's process would, with its pod's files and environment. */
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

/** Arguments are known to austream; configs are valid and name only files that exist in the pod. */
export const config: Check = (objects, report) => {
  for (const workload of workloads(objects)) {
    const pod: Manifest = workload.spec.template.spec;
    const reportProblem = (message: string) => report(workload, message);
    for (const { args } of [...(pod.initContainers ?? []), ...pod.containers])
      checkArguments(args, reportProblem);
    let loaded: Config;
    try {
      loaded = load(objects, workload);
    } catch (error) {
      reportProblem((error as Error).message);
      continue;
    }
    const { http, control, cluster, cameras, kafka } = loaded;
    const [container] = pod.containers;
    if (!container.ports.some(({ containerPort }: Manifest) => containerPort === http.port))
      reportProblem(`serves port ${http.port}, which its container does not declare`);
    if (http.host !== '0.0.0.0') reportProblem(`listens on ${http.host} only, where probes cannot reach it`);
    if (control.socket !== null) reportProblem('has a control socket, which nothing in the pod can use');
    if (kafka.embedded) reportProblem('uses the embedded broker, which stores nothing');
    if (workload.metadata.name === 'ingest' && cluster.cameras === 'config')
      checkSingleWorker(workload, reportProblem);
    if (workload.metadata.name !== 'infer' && cluster.cameras === 'config' && cameras.length === 0)
      reportProblem('has no cameras');
    const hasGpu = Boolean(container.resources?.limits?.['nvidia.com/gpu']);
    if (workload.metadata.name !== 'ingest' && hasGpu !== ['cuda', 'tensorrt'].includes(loaded.infer.device))
      reportProblem(`has device ${loaded.infer.device} and ${hasGpu ? 'a' : 'no'} GPU`);
    const files = filesOf(objects, pod);
    // An inference worker runs no cameras.
    const { secrets: _, ...clusterOfInfer } = cluster;
    const used = workload.metadata.name === 'infer' ? { ...loaded, cluster: clusterOfInfer } : loaded;
    for (const path of absolutePaths(used)) checkPath(path, container, files, reportProblem);
    if (
      kafka.spool &&
      container.volumeMounts.some((mount: Manifest) => mount.readOnly && under(kafka.spool!.dir, mount))
    )
      reportProblem(`cannot write to ${kafka.spool.dir}`);
  }
};

function checkArguments([name, ...rest]: readonly string[], reportProblem: (message: string) => void): void {
  let command = COMMANDS.find((known) => known.name() === name);
  const sub = command?.commands.find((known) => known.name() === rest[0]);
  if (sub) command = sub;
  if (!command) {
    reportProblem(`austream has no command ${name}`);
    return;
  }
  const { unknown } = command.parseOptions(sub ? rest.slice(1) : [...rest]);
  if (unknown.length > 0) reportProblem(`austream ${name} has no option ${unknown.join(' ')}`);
}

function checkSingleWorker({ spec }: Manifest, reportProblem: (message: string) => void): void {
  if (spec.replicas !== 1 || spec.strategy?.type !== 'Recreate')
    reportProblem('has cameras in its config and more than one worker: each camera would run twice');
}

/** Every absolute path in a config. */
function absolutePaths(value: unknown): string[] {
  if (typeof value === 'string') return value.startsWith('/') ? [value] : [];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(absolutePaths);
}

const under = (path: string, { mountPath }: Manifest) =>
  path === mountPath || path.startsWith(`${mountPath}/`);

function checkPath(
  path: string,
  container: Manifest,
  files: ReadonlyMap<string, string | null>,
  reportProblem: (message: string) => void,
): void {
  const over: Manifest[] = container.volumeMounts.filter((mount: Manifest) => under(path, mount));
  const [nearest] = over.sort((a, b) => b.mountPath.length - a.mountPath.length);
  if (!nearest) reportProblem(`names ${path}, where nothing is mounted`);
  else if (nearest.name === 'config' && !files.has(path))
    reportProblem(`names ${path}, which no source of the config volume provides`);
}
