import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cached } from '../../broker/cache.ts';
import { kubernetesTools } from '../tools.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const VERSION = '1.37.2';
const TOKEN = 'administrator';
const run = promisify(execFile);

/** kube-apiserver, built from Go modules: half an hour on two cores, then cached in `.cache/`. */
async function binary(): Promise<string> {
  const pinned = readFileSync(join(HERE, 'go.mod'), 'utf8');
  const folder = await cached('kube-apiserver', pinned, async (dir) => {
    const [major, minor] = VERSION.split('.');
    const stamps = { gitVersion: `v${VERSION}`, gitMajor: major, gitMinor: minor };
    const flags = Object.entries(stamps).map(
      ([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`,
    );
    await run(
      'go',
      ['build', '-ldflags', `-s -w ${flags.join(' ')}`, '-o', dir, 'k8s.io/kubernetes/cmd/kube-apiserver'],
      {
        cwd: HERE,
        env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false' },
      },
    );
  });
  return join(folder, 'kube-apiserver');
}

/** An API server with Pod Security admission and its own etcd (Debian's etcd-server). Nothing runs the pods. */
export class ApiServer {
  readonly #kubectl: string;
  readonly #url: string;
  readonly #folder: string;
  readonly #children: ChildProcess[];

  private constructor(kubectl: string, url: string, folder: string, children: ChildProcess[]) {
    this.#kubectl = kubectl;
    this.#url = url;
    this.#folder = folder;
    this.#children = children;
  }

  static async start(): Promise<ApiServer> {
    const [{ kubectl }, apiserver] = await Promise.all([kubernetesTools(), binary()]);
    const folder = await mkdtemp(join(tmpdir(), 'austream-apiserver-'));
    const [client, peer, port] = await Promise.all([freePort(), freePort(), freePort()]);
    const key = join(folder, 'service-accounts.key');
    await run('openssl', ['genrsa', '-out', key, '2048']);
    await writeFile(join(folder, 'tokens.csv'), `${TOKEN},admin,admin,system:masters\n`);
    const url = (number: number) => `http://127.0.0.1:${number}`;
    const etcd = spawn(
      'etcd',
      [
        `--data-dir=${join(folder, 'etcd')}`,
        `--listen-client-urls=${url(client)}`,
        `--advertise-client-urls=${url(client)}`,
        `--listen-peer-urls=${url(peer)}`,
      ],
      { stdio: 'ignore' },
    );
    const server = spawn(
      apiserver,
      [
        `--etcd-servers=${url(client)}`,
        `--cert-dir=${join(folder, 'certificates')}`,
        '--bind-address=127.0.0.1',
        `--secure-port=${port}`,
        `--token-auth-file=${join(folder, 'tokens.csv')}`,
        '--authorization-mode=RBAC',
        '--service-cluster-ip-range=10.0.0.0/16',
        '--service-account-issuer=https://austream.test',
        `--service-account-key-file=${key}`,
        `--service-account-signing-key-file=${key}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const log = text(server.stderr);
    const api = new ApiServer(kubectl, `https://127.0.0.1:${port}`, folder, [server, etcd]);
    for (let tries = 0; ; tries += 1) {
      if (server.exitCode !== null) throw new Error(`kube-apiserver ended:\n${(await log).slice(-3000)}`);
      const ready = await api.kubectl(['get', '--raw', '/readyz']).catch((error: Error) => error);
      if (!(ready instanceof Error)) return api;
      if (tries > 120) {
        await api.stop();
        throw new Error(`kube-apiserver is not ready: ${ready.message}\n${(await log).slice(-3000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }

  /** Runs kubectl; rejects with its error output. */
  async kubectl(args: readonly string[], input = ''): Promise<{ stdout: string; stderr: string }> {
    const access = ['--server', this.#url, '--token', TOKEN, '--insecure-skip-tls-verify'];
    const running = run(this.#kubectl, [...access, ...args], {
      maxBuffer: 1 << 26,
      env: { HOME: this.#folder },
    });
    running.child.stdin!.end(input);
    return await running;
  }

  async stop(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(this.#folder, { recursive: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
