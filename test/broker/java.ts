import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MS = 90_000;

/** Starts a Java server that dies with this process, however that ends; resolves when `serves` says so. */
export async function startJava(
  args: readonly string[],
  logFile: string,
  serves: () => Promise<boolean>,
): Promise<ChildProcess> {
  const log = openSync(logFile, 'a');
  const quick = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  const server = spawn('setpriv', ['--pdeathsig', 'KILL', 'java', ...quick, ...args], {
    stdio: ['ignore', log, log],
  });
  const until = Date.now() + START_MS;
  while (!(await serves())) {
    if (server.exitCode !== null || Date.now() > until)
      throw new Error(`the server does not start:\n${readFileSync(logFile, 'utf8').slice(-2000)}`);
    await sleep(200);
  }
  return server;
}

/** Ends a process like a power cut of it. */
export async function kill9(child: ChildProcess | null): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** Ports that nobody listens on now. */
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
