import { spawnSync } from 'node:child_process';
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { splitCredentials } from '../../camera/credentials.ts';
import { isOnvif, parseDeviceUrl } from '../../camera/onvif-address.ts';
import type { CameraOptions } from '../../camera/options.ts';
import { rtspAddress } from '../../camera/rtsp-address.ts';
import { log } from '../../log.ts';
import {
  describeSandbox,
  LAUNCHER,
  missingSandbox,
  type SandboxMode,
  sandboxFor,
} from '../../sandbox/support.ts';

/** The command that starts a camera process. */
interface CameraCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** Descriptor of a listener on the loopback that the process has; null: it opens one. */
  readonly listenerFd: number | null;
}

const PACKAGE = fileURLToPath(new URL('../../../', import.meta.url));
const CODE = ['src', 'node_modules', 'models', 'dist/sandbox', 'package.json'].map((path) =>
  join(PACKAGE, path),
);
const LOADERS = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'];
const SYSTEM = [
  ...['/usr', '/lib', '/lib64', '/opt/node_modules'],
  ...['devices', 'class', 'bus', 'dev', 'fs/cgroup', 'module/nvidia'].map((name) => `/sys/${name}`),
  ...['self', 'cpuinfo', 'meminfo', 'stat', 'driver', 'devices', 'sys/vm'].map((name) => `/proc/${name}`),
  ...['urandom', 'random', 'zero'].map((name) => `/dev/${name}`),
  // Of /etc nothing else: no keys, no users.
  ...['ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'localtime', 'drirc', 'glvnd', 'vulkan'].map(etc),
  ...['ssl/certs', 'ssl/openssl.cnf', 'pki/tls/certs', 'pki/ca-trust/extracted', 'ca-certificates'].map(etc),
  ...['resolv.conf', 'hosts', 'host.conf', 'nsswitch.conf', 'gai.conf', 'services', 'protocols'].map(etc),
];
/** Variables that name folders or files which libraries read. */
const PATH_VARIABLES =
  /^(LD_LIBRARY_PATH|GST_PLUGIN_PATH(_1_0)?|GST_PLUGIN_SYSTEM_PATH(_1_0)?|LIBVA_DRIVERS_PATH|SSL_CERT_(FILE|DIR))$/;
const PLUGIN_FOLDERS = ['x86_64', 'aarch64'].map((name) => `/usr/lib/${name}-linux-gnu/gstreamer-1.0`);
const GSTREAMER = join(PACKAGE, 'node_modules/gstreamer-superficial');
/** Descriptor that the launcher gives its listener. */
const LISTENER_FD = 5;
const DNS_PORT = 53;
/** User ids that systemd leaves unused (systemd.io/UIDS-GIDS); camera processes take turns. */
const FIRST_USER = 60_706;
const USERS = 400;
let users = 0;

function etc(name: string): string {
  return `/etc/${name}`;
}

/**
 * How to start the process of this camera: Node, in the sandbox that this system has. It may read the code, libraries
 * and its source, write nothing, and reach the port of its camera. Throws PREREQUISITE_MISSING.
 */
export function cameraCommand(mode: SandboxMode, camera: CameraOptions, entry: string): CameraCommand {
  const node = ['--disable-warning=ExperimentalWarning', entry];
  const support = sandboxFor(mode);
  if (support === null) return { program: process.execPath, args: node, listenerFd: null };
  refreshRegistry();
  const network = networkRules(camera);
  users = (users + 1) % USERS;
  return {
    program: LAUNCHER,
    args: [
      ...each('--execute', [process.execPath, ...LOADERS]),
      ...each('--read', [...CODE, dirname(entry), ...SYSTEM, ...environmentPaths(), ...sourcePaths(camera)]),
      ...each('--device', ['/dev/null', ...devices(camera)]),
      ...network,
      ...(support.changesUser ? ['--user', String(FIRST_USER + users)] : []),
      ...each('--registry', [registryFile()]),
      '--',
      process.execPath,
      ...node,
    ],
    listenerFd: network.includes('--listen') ? LISTENER_FD : null,
  };
}

let logged = false;

/** Logs once a process what its camera processes are kept from. Throws PREREQUISITE_MISSING. */
export function logSandbox(mode: SandboxMode): void {
  const support = sandboxFor(mode);
  if (logged) return;
  logged = true;
  const missing = mode === 'off' ? ['ingest.sandbox is off'] : missingSandbox(support);
  const applied = support === null ? 'none' : describeSandbox(support);
  if (missing.length === 0) log.info({ sandbox: applied }, `sandbox of camera processes: ${applied}`);
  else log.warn({ sandbox: applied }, `sandbox of camera processes: ${applied}; ${missing.join('; ')}`);
}

function networkRules(camera: CameraOptions): string[] {
  const { url } = splitCredentials(camera.url);
  const device = isOnvif(url) ? parseDeviceUrl(url) : null;
  const address = device === null ? rtspAddress(url) : null;
  const host =
    device !== null && typeof device === 'object' ? device.host.replace(/^\[|\]$/g, '') : address?.host;
  if (host === undefined) return ['--no-network'];
  const isName = isIP(host) === 0;
  return [
    '--listen',
    // The device says which port its stream has.
    ...(address === null ? ['--any-port'] : ['--connect', String(address.port)]),
    ...(isName ? ['--connect', String(DNS_PORT)] : []),
    ...(isName || camera.transport === 'udp' ? ['--udp'] : []),
  ];
}

/** The camera's own file or device, and its certificate authority. */
function sourcePaths({ url, tls }: CameraOptions): string[] {
  return [...(url.startsWith('file:') ? [pathOf(url)] : []), ...(tls.ca === undefined ? [] : [tls.ca])];
}

function devices({ url, decoder }: CameraOptions): string[] {
  const gpus = [
    '/dev/dri',
    ...readdirSync('/dev')
      .filter((name) => name.startsWith('nvidia'))
      .map((name) => `/dev/${name}`),
  ];
  return [...(url.startsWith('v4l2:') ? [pathOf(url)] : []), ...(decoder === 'software' ? [] : gpus)];
}

function pathOf(url: string): string {
  try {
    return realpathSync(
      url.startsWith('file:') ? fileURLToPath(url) : decodeURIComponent(new URL(url).pathname),
    );
  } catch {
    // The camera process reports it.
    return '/nonexistent';
  }
}

function environmentPaths(): string[] {
  return Object.entries(process.env)
    .filter(([name]) => PATH_VARIABLES.test(name))
    .flatMap(([, value]) => value!.split(delimiter))
    .filter((path) => path.startsWith('/') && path !== '/');
}

/** Where GStreamer keeps what it knows of its plugins. */
function registryFile(): string {
  const { GST_REGISTRY, GST_REGISTRY_1_0, XDG_CACHE_HOME } = process.env;
  const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return (
    GST_REGISTRY_1_0 ??
    GST_REGISTRY ??
    join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'gstreamer-1.0', `registry.${architecture}.bin`)
  );
}

let refreshed = false;

/**
 * Lets GStreamer scan its plugins once if they have changed, outside of any sandbox and away from any camera's data. A
 * camera process cannot store the result and would scan at each start, which takes seconds.
 */
function refreshRegistry(): void {
  if (refreshed) return;
  refreshed = true;
  const written = mtime(registryFile());
  const folders = [...PLUGIN_FOLDERS, ...environmentPaths()];
  if (folders.every((folder) => mtime(folder) < written)) return;
  const script = `new (require(${JSON.stringify(GSTREAMER)}).Pipeline)('fakesink'); process.exit()`;
  spawnSync(process.execPath, ['-e', script], { stdio: 'ignore', timeout: 60_000 });
}

/** Milliseconds; 0 if there is no such file. */
function mtime(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function each(option: string, values: readonly string[]): string[] {
  return values.flatMap((value) => [option, value]);
}
