import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { PodNetwork } from './network.ts';
import type { ConfigMap, Container, Deployment, Probe, Volume } from './objects.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const APP = '/opt/austream';

interface PodEnvironment {
  readonly network: PodNetwork;
  readonly configMaps: readonly ConfigMap[];
  /** Values by secret name and key. */
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Host names that the cluster's DNS would resolve, with their addresses. */
  readonly hosts: Readonly<Record<string, string>>;
}

/**
 * Runs a pod's container as processes of this machine, as its manifest demands: arguments, environment, mounts, user,
 * capabilities, privileges, read-only root and network namespace. The root is this machine's /usr with the checkout at
 * /opt/austream. Seccomp, cgroups and restarts by the kubelet are not simulated.
 */
export class Pod {
  stdout = '';
  stderr = '';
  /** The container's PID 1, as a process id of this machine. */
  readonly pid: number;
  readonly exited: Promise<number | null>;
  readonly #bwrap: ChildProcess;
  readonly #container: Container;
  readonly #network: PodNetwork;
  readonly #user: readonly string[];

  static async start(deployment: Deployment, environment: PodEnvironment): Promise<Pod> {
    const { spec } = deployment.spec.template;
    const container = spec.containers[0];
    const { runAsUser, runAsGroup, fsGroup } = { ...spec.securityContext, ...container.securityContext };
    const { readOnlyRootFilesystem, allowPrivilegeEscalation, capabilities } =
      container.securityContext ?? {};
    const user = [
      ...['--reuid', String(runAsUser ?? 0), '--regid', String(runAsGroup ?? 0)],
      ...(fsGroup === undefined ? ['--clear-groups'] : ['--groups', String(fsGroup)]),
      ...(capabilities?.drop?.includes('ALL')
        ? ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all']
        : []),
      ...(allowPrivilegeEscalation === false ? ['--no-new-privs'] : []),
    ];
    const scratch = mkdtempSync(join(tmpdir(), 'austream-pod-'));
    chmodSync(scratch, 0o755);
    const args = [
      ...['netns', 'exec', environment.network.name, 'bwrap'],
      ...[
        '--unshare-pid',
        '--unshare-ipc',
        '--unshare-uts',
        '--as-pid-1',
        '--die-with-parent',
        '--info-fd',
        '3',
      ],
      ...[
        '--cap-drop',
        'ALL',
        '--cap-add',
        'CAP_SETUID',
        '--cap-add',
        'CAP_SETGID',
        '--cap-add',
        'CAP_SETPCAP',
      ],
      ...image(scratch, environment.hosts),
      ...mounts(container, spec.volumes ?? [], scratch, environment, fsGroup),
      ...(readOnlyRootFilesystem ? ['--remount-ro', '/'] : []),
      ...variables(container, environment),
      ...['--', 'setpriv', ...user],
      ...(container.command ?? entrypoint()),
      ...container.args,
    ];
    const bwrap = spawn('ip', args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    bwrap.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
    const pid = await childPid(bwrap);
    return new Pod(bwrap, pid, container, environment.network, user);
  }

  private constructor(
    bwrap: ChildProcess,
    pid: number,
    container: Container,
    network: PodNetwork,
    user: readonly string[],
  ) {
    this.#bwrap = bwrap;
    this.#container = container;
    this.#network = network;
    this.#user = user;
    this.pid = pid;
    bwrap.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    bwrap.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve) => {
      bwrap.once('close', (code) => resolve(code));
    });
  }

  get running(): boolean {
    return this.#bwrap.exitCode === null && this.#bwrap.signalCode === null;
  }

  /** The result of a probe, as the kubelet would see it: the HTTP status, or the error code. */
  probe(kind: 'startupProbe' | 'readinessProbe' | 'livenessProbe'): Promise<number | string> {
    const probe = this.#container[kind];
    if (!probe) throw new Error(`${this.#container.name} has no ${kind}`);
    return httpStatus(this.#network.address, portOf(probe, this.#container), probe.httpGet.path);
  }

  /** Runs a command in the container as its user, like `kubectl exec`. Resolves with exit status and output. */
  exec(...command: string[]): Promise<{ status: number; output: string }> {
    const namespaces = ['--mount', '--net', '--pid', '--ipc', '--uts'];
    const args = ['--target', String(this.pid), ...namespaces, 'setpriv', ...this.#user, ...command];
    return new Promise((resolve) => {
      execFile('nsenter', args, { env: { PATH: process.env.PATH } }, (error, stdout, stderr) =>
        resolve({ status: error ? Number(error.code) : 0, output: stdout + stderr }),
      );
    });
  }

  /** Connects to an address from inside the container. Resolves with `open` or the error code. */
  async connect(host: string, port: number): Promise<string> {
    const script = `require('net').connect(${port}, '${host}').on('connect', () => { console.log('open'); process.exit() }).on('error', (e) => { console.log(e.code); process.exit() })`;
    return (await this.exec(join(APP, '.toolchain/node/bin/node'), '-e', script)).output.trim();
  }

  /** Sends SIGTERM to the container's PID 1, as the kubelet does. */
  terminate(): void {
    process.kill(this.pid, 'SIGTERM');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Killing PID 1 ends its whole PID namespace. It runs as another user, so it does not die with its parent.
    if (this.running) process.kill(this.pid, 'SIGKILL');
    await this.exited;
  }
}

/** Sends a GET request. Resolves with the status, or with the error code. */
export function httpStatus(
  host: string,
  port: number,
  path: string,
  localAddress?: string,
): Promise<number | string> {
  return new Promise((resolve) => {
    get(
      { host, port, path, agent: false, ...(localAddress === undefined ? {} : { localAddress }) },
      (response) => {
        response.resume();
        resolve(response.statusCode!);
      },
    ).on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

function portOf({ httpGet: { port } }: Probe, { ports = [] }: Container): number {
  if (typeof port === 'number') return port;
  const found = ports.find(({ name }) => name === port);
  if (!found) throw new Error(`no port is named ${port}`);
  return found.containerPort;
}

async function childPid(bwrap: ChildProcess): Promise<number> {
  let text = '';
  for await (const chunk of bwrap.stdio[3] as Readable) text += chunk;
  const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
  if (!pid) {
    let errors = '';
    for await (const chunk of bwrap.stderr as Readable) errors += chunk;
    throw new Error(`the sandbox does not start; it needs root, bubblewrap and namespaces\n${errors}`);
  }
  return Number(pid);
}

/** bwrap arguments for the root file system of an image: this machine's /usr (Debian 12) and the checkout. */
function image(scratch: string, hosts: PodEnvironment['hosts']): string[] {
  const lines = [
    '127.0.0.1 localhost',
    ...Object.entries(hosts).map(([name, address]) => `${address} ${name}`),
  ];
  writeFileSync(join(scratch, 'hosts'), `${lines.join('\n')}\n`, { mode: 0o644 });
  const etc = ['ssl', 'alternatives', 'ld.so.cache', 'nsswitch.conf', 'passwd', 'group', 'fonts'];
  return [
    ...parents(['/opt/austream', '/etc/ssl', '/var/cache', '/var/lib']),
    ...['--ro-bind', '/usr', '/usr'],
    ...['bin', 'sbin', 'lib', 'lib64'].flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]),
    ...etc.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ...['--ro-bind', join(scratch, 'hosts'), '/etc/hosts'],
    ...['--ro-bind', ROOT, APP],
    ...['--proc', '/proc', '--dev', '/dev', '--chdir', APP],
  ];
}

/** bwrap arguments for the container's volume mounts. Writes the volumes' files below `scratch`. */
function mounts(
  container: Container,
  volumes: readonly Volume[],
  scratch: string,
  environment: PodEnvironment,
  fsGroup: number | undefined,
): string[] {
  const volumeMounts = [...(container.volumeMounts ?? [])].sort(
    (a, b) => a.mountPath.length - b.mountPath.length,
  );
  const folders = new Map<string, string>();
  return volumeMounts.flatMap(({ name, mountPath, subPath }) => {
    const volume = volumes.find((candidate) => candidate.name === name);
    if (!volume) throw new Error(`${container.name} mounts the unknown volume ${name}`);
    if (volume.emptyDir) return [...parents([mountPath]), '--perms', '0777', '--tmpfs', mountPath];
    const source = join(scratch, 'volumes', name);
    mkdirSync(source, { recursive: true });
    for (const { path, content, mode } of files(volume, environment)) {
      mkdirSync(dirname(join(source, path)), { recursive: true });
      writeFileSync(join(source, path), content);
      if (fsGroup !== undefined) chownSync(join(source, path), 0, fsGroup);
      // Like the kubelet: fsGroup gets the owner's read permission.
      chmodSync(join(source, path), fsGroup === undefined ? mode : mode | ((mode & 0o400) >> 3));
    }
    // The outer mount is read-only, so the mount points of nested mounts must exist beforehand.
    for (const [outer, folder] of folders)
      if (mountPath.startsWith(`${outer}/`))
        mkdirSync(join(folder, mountPath.slice(outer.length)), { recursive: true });
    folders.set(mountPath, source);
    return [
      ...parents([mountPath]),
      '--ro-bind',
      subPath === undefined ? source : join(source, subPath),
      mountPath,
    ];
  });
}

/** bwrap arguments that create the parent folders of paths; bubblewrap itself would make them for root only. */
function parents(paths: readonly string[]): string[] {
  return paths
    .flatMap((path) =>
      path
        .split('/')
        .slice(1, -1)
        .map((_, index, parts) => `/${parts.slice(0, index + 1).join('/')}`),
    )
    .flatMap((path) => ['--perms', '0755', '--dir', path]);
}

/** The files of a ConfigMap, Secret or projected volume. */
function files(
  volume: Volume,
  environment: PodEnvironment,
): { path: string; content: string; mode: number }[] {
  const sources = volume.projected?.sources ?? [{ configMap: volume.configMap, secret: volume.secret }];
  return sources.flatMap(({ configMap, secret }) => {
    const source = configMap ?? secret;
    if (!source) throw new Error(`the type of volume ${volume.name} is not supported`);
    const name = source.name ?? source.secretName ?? '';
    const data = configMap
      ? environment.configMaps.find(({ metadata }) => metadata.name === name)?.data
      : environment.secrets[name];
    if (!data && source.optional) return [];
    if (!data) throw new Error(`volume ${volume.name}: no ${configMap ? 'ConfigMap' : 'Secret'} ${name}`);
    const items = source.items ?? Object.keys(data).map((key) => ({ key, path: key }));
    return items.map(({ key, path }) => {
      if (data[key] === undefined) throw new Error(`volume ${volume.name}: ${name} has no ${key}`);
      return { path, content: data[key], mode: source.defaultMode ?? 0o644 };
    });
  });
}

/** The arguments of an instruction in the Dockerfile's common stage. */
function dockerfileArguments(instruction: string): string {
  const dockerfile = readFileSync(join(ROOT, 'deploy/docker/Dockerfile'), 'utf8');
  return new RegExp(`^${instruction} (.*)$`, 'm').exec(dockerfile)![1]!;
}

function entrypoint(): string[] {
  return JSON.parse(dockerfileArguments('ENTRYPOINT'));
}

/** bwrap arguments for the environment: the image's variables, then the container's. */
function variables(container: Container, environment: PodEnvironment): string[] {
  const imageVariables = dockerfileArguments('ENV')
    .split(' ')
    .map((assignment) => assignment.split('=') as [string, string]);
  const own = (container.env ?? []).map(({ name, value, valueFrom }): [string, string] => {
    const ref = valueFrom?.secretKeyRef;
    const resolved = ref
      ? environment.secrets[ref.name]?.[ref.key]
      : valueFrom
        ? container.name
        : (value ?? '');
    if (resolved === undefined) throw new Error(`${container.name}: no secret for ${name}`);
    return [name, resolved];
  });
  const all = [
    ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    ...imageVariables,
    ...own,
  ];
  return ['--clearenv', ...all.flatMap(([name, value]) => ['--setenv', name!, value!])];
}
