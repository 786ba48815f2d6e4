import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const DEMO_CLIP = join(ROOT, 'models/demo/clip.mp4');

/** A line of `--json` output. */
// biome-ignore lint/suspicious/noExplicitAny: the tests read many kinds of lines
export type Line = Record<string, any> & { type: string };

/** A running `bin/austream`, as a user would start it. */
export class Austream {
  readonly lines: Line[] = [];
  readonly process: ChildProcess;
  /** Resolves with the exit code (128 + n for signal n, as a shell says it). */
  readonly exited: Promise<number>;
  stdout = '';
  stderr = '';
  #watchers: (() => void)[] = [];

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.process = spawn(join(ROOT, 'bin/austream'), args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      for (const look of this.#watchers) look();
    });
    createInterface({ input: this.process.stdout! }).on('line', (line) => {
      this.stdout += `${line}\n`;
      if (line.startsWith('{')) this.lines.push(JSON.parse(line) as Line);
      for (const look of this.#watchers) look();
    });
    this.exited = new Promise((resolve) => {
      this.process.once('close', (code, signal) => {
        for (const look of this.#watchers) look();
        resolve(code ?? (signal === 'SIGINT' ? 130 : 137));
      });
    });
  }

  of(type: string): Line[] {
    return this.lines.filter((line) => line.type === type);
  }

  /** Resolves with the first line that fits; rejects with all that was said when the process ends without it. */
  until(fits: (line: Line) => boolean): Promise<Line> {
    return this.#watch(() => this.lines.find(fits));
  }

  /** Resolves when the log has this text; rejects when the process ends without it. */
  async said(text: string): Promise<void> {
    await this.#watch(() => this.stderr.includes(text) || undefined);
  }

  #watch<T>(find: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found !== undefined) resolve(found);
        else if (this.process.exitCode !== null || this.process.signalCode !== null)
          reject(
            new Error(
              `austream ended (${this.process.exitCode}) without what was waited for:\n${this.stderr}`,
            ),
          );
        else return;
        this.#watchers = this.#watchers.filter((one) => one !== look);
      };
      this.#watchers.push(look);
      look();
    });
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.exited;
  }
}

/** A folder that is gone after the test. */
export class Scratch {
  readonly path = mkdtempSync(join(tmpdir(), 'austream-test-'));

  file(name: string, content: string | object): string {
    const file = join(this.path, name);
    writeFileSync(file, typeof content === 'string' ? content : stringify(content));
    return file;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Every process below `pid`, by /proc. */
export async function childrenOf(pid: number): Promise<number[]> {
  const { readFile } = await import('node:fs/promises');
  const direct = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => ''))
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return [...direct, ...(await Promise.all(direct.map(childrenOf))).flat()];
}
