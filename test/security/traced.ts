import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { descendantsOf, type JsonLine, ROOT } from '../e2e/austream.ts';

const CALLS = 'network,open,openat,openat2,creat,rename,renameat,renameat2,link,linkat';
/** Nobody's environment: no CI variable either, with which libraries may switch their telemetry off by themselves. */
const BASE_ENV = { PATH: process.env.PATH!, LANG: 'C.UTF-8' };

/** A command of `bin/austream` under strace, with all its processes, in an empty home. */
export class TracedAustream {
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly home: string;
  readonly lines: JsonLine[] = [];
  stdout = '';
  stderr = '';
  readonly #folder: string;

  /** `folder` must not exist: it gets the home, the temporary files and the traces of this command alone. */
  constructor(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#folder = folder;
    this.home = join(folder, 'home');
    for (const name of ['home', 'tmp', 'cwd', 'trace']) mkdirSync(join(folder, name), { recursive: true });
    const trace = [
      '-ff',
      '--seccomp-bpf',
      '-qq',
      '-y',
      '-s',
      '64',
      '-e',
      `trace=${CALLS}`,
      '-e',
      'signal=none',
    ];
    this.process = spawn(
      'strace',
      [...trace, '-o', join(folder, 'trace/t'), join(ROOT, 'bin/austream'), ...args],
      {
        cwd: join(folder, 'cwd'),
        env: { ...BASE_ENV, HOME: this.home, TMPDIR: join(folder, 'tmp'), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    createInterface({ input: this.process.stdout! }).on('line', (line) => {
      this.stdout += `${line}\n`;
      if (line.startsWith('{')) this.lines.push(JSON.parse(line) as JsonLine);
    });
    this.process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve) => this.process.once('close', (code) => resolve(code)));
  }

  /** Resolves when `condition` holds; rejects with standard error if the command ends before. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.hasExited) throw new Error(`austream exited:\n${this.stderr}`);
      await setTimeout(100);
    }
  }

  get hasExited(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Sends SIGTERM to austream, not to strace; resolves with its exit code. */
  async stop(): Promise<number | null> {
    const [austream] = await descendantsOf(this.process.pid!);
    if (austream && !this.hasExited) process.kill(austream, 'SIGTERM');
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = await descendantsOf(this.process.pid!);
    for (const pid of all) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
    await this.exited;
  }

  /** What the command and its children did; complete once `exited` has resolved. */
  get trace(): Trace {
    return readTrace(join(this.#folder, 'trace'));
  }
}

export interface Trace {
  /** `address:port` or a socket's path that was connected or sent to; each once, sorted. Port 0 is only a route lookup. */
  readonly destinations: readonly string[];
  /** `address:port` of the command's own sockets. */
  readonly own: ReadonlySet<string>;
  /** Paths opened for reading. */
  readonly read: ReadonlySet<string>;
  /** Paths opened for writing, or made by renaming or linking. */
  readonly written: ReadonlySet<string>;
}

const SOCKET_ADDRESS =
  /sa_family=AF_INET6?, sin6?_port=htons\((\d+)\).*?(?:inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)")/g;
const UNIX_ADDRESS = /sa_family=AF_UNIX, sun_path=(@?"[^"]+")/g;
const OWN = /^(?:bind|getsockname)\(/;
const HEARD = /^(?:accept|accept4|recvfrom|recvmsg|recvmmsg)\(/;
const SENT = /^(?:sendto|sendmsg|sendmmsg)\(/;
const CONNECTED = /^connect\(/;
const OPEN_CALL = /^(?:open|openat|openat2|creat)\((.*)\) = \d+<(.+)>$/;
const NAME_CALL = /^(?:rename|renameat|renameat2|link|linkat)\(.*"([^"]+)"[^"]*\) = 0$/;

export function readTrace(folder: string): Trace {
  const [destinations, own] = [new Set<string>(), new Set<string>()];
  const [read, written] = [new Set<string>(), new Set<string>()];
  for (const file of readdirSync(folder)) {
    /** Whoever sent something first may be answered. */
    const heard = new Set<string>();
    for (const line of readFileSync(join(folder, file), 'utf8').split('\n')) {
      const opened = OPEN_CALL.exec(line);
      const named = NAME_CALL.exec(line);
      if (OWN.test(line)) for (const address of addresses(line)) own.add(address);
      if (HEARD.test(line)) for (const address of addresses(line)) heard.add(address);
      if (CONNECTED.test(line)) for (const address of addresses(line)) destinations.add(address);
      if (SENT.test(line))
        for (const address of addresses(line)) if (!heard.has(address)) destinations.add(address);
      if (opened) (/O_WRONLY|O_RDWR|^creat/.test(opened[1]!) ? written : read).add(opened[2]!);
      if (named) written.add(named[1]!);
    }
  }
  return { destinations: [...destinations].sort(), own, read, written };
}

function addresses(line: string): string[] {
  const internet = [...line.matchAll(SOCKET_ADDRESS)]
    .filter(([, port]) => port !== '0')
    .map(([, port, v4, v6]) => (v4 ? `${v4}:${port}` : `[${v6}]:${port}`));
  return [...internet, ...[...line.matchAll(UNIX_ADDRESS)].map(([, path]) => path!.replaceAll('"', ''))];
}

/** Every file below `folder`, as paths relative to it. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
