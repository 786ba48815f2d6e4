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
export type JsonLine = Record<string, any> & { type: string };

/** A process of `bin/austream`, started as a user would. */
export class Austream {
  readonly lines: JsonLine[] = [];
  readonly process: ChildProcess;
  /** Resolves with the exit code; 128 + n after signal n, as in a shell. */
  readonly exited: Promise<number>;
  stdout = '';
  stderr = '';
  #outputListeners: (() => void)[] = [];

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.process = spawn(join(ROOT, 'bin/austream'), args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      for (const listener of this.#outputListeners) listener();
    });
    createInterface({ input: this.process.stdout! }).on('line', (line) => {
      this.stdout += `${line}\n`;
      if (line.startsWith('{')) this.lines.push(JSON.parse(line) as JsonLine);
      for (const listener of this.#outputListeners) listener();
    });
    this.exited = new Promise((resolve) => {
      this.process.once('close', (code, signal) => {
        for (const listener of this.#outputListeners) listener();
        resolve(code ?? (signal === 'SIGINT' ? 130 : 137));
      });
    });
  }

  linesOfType(type: string): JsonLine[] {
    return this.lines.filter((line) => line.type === type);
  }

  /** Resolves with the first line that matches; rejects with standard error when the process ends without one. */
  untilLine(matches: (line: JsonLine) => boolean): Promise<JsonLine> {
    return this.#waitFor(() => this.lines.find(matches));
  }

  /** Resolves when standard error contains `text`; rejects when the process ends without it. */
  async untilLogged(text: string): Promise<void> {
    await this.#waitFor(() => this.stderr.includes(text) || undefined);
  }

  #waitFor<T>(find: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = find();
        if (found !== undefined) resolve(found);
        else if (this.process.exitCode !== null || this.process.signalCode !== null)
          reject(
            new Error(
              `austream exited (${this.process.exitCode}) without the expected output:\n${this.stderr}`,
            ),
          );
        else return;
        this.#outputListeners = this.#outputListeners.filter((listener) => listener !== check);
      };
      this.#outputListeners.push(check);
      check();
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

/** A temporary folder that is removed after the test. */
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

/** All descendants of process `pid`, from /proc. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const { readFile } = await import('node:fs/promises');
  const direct = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => ''))
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return [...direct, ...(await Promise.all(direct.map(descendantsOf))).flat()];
}
