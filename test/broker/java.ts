import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { globSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_TIMEOUT_MS = 90_000;

/** Starts a Java server that is killed when this process ends. Resolves when `isReady` resolves with true. */
export async function startJava(
  args: readonly string[],
  logFile: string,
  isReady: () => Promise<boolean>,
  java = 'java',
): Promise<ChildProcess> {
  const log = openSync(logFile, 'a');
  const jvmOptions = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  const server = spawn('setpriv', ['--pdeathsig', 'KILL', java, ...jvmOptions, ...args], {
    stdio: ['ignore', log, log],
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await isReady())) {
    if (server.exitCode !== null || Date.now() > deadline)
      throw new Error(`the server did not start:\n${readFileSync(logFile, 'utf8').slice(-2000)}`);
    await sleep(200);
  }
  return server;
}

/** Kills a process with SIGKILL and waits for its end. */
export async function kill9(child: ChildProcess | null): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
}

/** Ports that are free at present. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** The `java` of at least this version; null if this host has none. */
export function findJava(version: number): string | null {
  const folders = globSync('/usr/lib/jvm/*/release').map((release) => dirname(release));
  const candidates = ['java', ...folders.map((folder) => join(folder, 'bin/java'))];
  return candidates.find((java) => javaVersion(java) >= version) ?? null;
}

function javaVersion(java: string): number {
  const { stderr } = spawnSync(java, ['-version'], { encoding: 'utf8' });
  return Number(/version "(\d+)/.exec(stderr ?? '')?.[1] ?? 0);
}
