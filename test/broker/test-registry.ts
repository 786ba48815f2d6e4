import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registryJars } from './jars.ts';
import { freePorts, kill9, startJava } from './java.ts';

/** A real schema registry (Apicurio, in memory) with Confluent's API at `url`. */
export class TestRegistry {
  readonly url: string;
  readonly #dir: string;
  readonly #process: ChildProcess;

  static async start(): Promise<TestRegistry> {
    const jars = await registryJars();
    const runner = readdirSync(jars).find((name) => name.endsWith('-runner.jar'))!;
    const [port] = await freePorts(1);
    const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
    const dir = mkdtempSync(join(tmpdir(), 'austream-registry-'));
    const process = await startJava(
      [`-Dquarkus.http.port=${port}`, '-Dquarkus.http.host=127.0.0.1', '-jar', join(jars, runner)],
      join(dir, 'registry.log'),
      () =>
        fetch(`${url}/subjects`).then(
          (response) => response.ok,
          () => false,
        ),
    );
    return new TestRegistry(url, dir, process);
  }

  private constructor(url: string, dir: string, process: ChildProcess) {
    this.url = url;
    this.#dir = dir;
    this.#process = process;
  }

  async stop(): Promise<void> {
    await kill9(this.#process);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
