import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApicurioMajor, registryJars } from './jars.ts';
import { freePorts, kill9, startJava } from './java.ts';

export interface TestRegistryOptions {
  readonly major: ApicurioMajor;
  /** Version 3 needs Java 21. */
  readonly java: string;
}

/** A real schema registry (Apicurio, in memory) with Confluent's API at `url`. */
export class TestRegistry {
  readonly url: string;
  readonly #dir: string;
  readonly #port: number;
  readonly #options: TestRegistryOptions;
  #process: ChildProcess | null = null;

  static async start(options: TestRegistryOptions = { major: 2, java: 'java' }): Promise<TestRegistry> {
    const [port] = await freePorts(1);
    const dir = mkdtempSync(join(tmpdir(), 'austream-registry-'));
    const registry = new TestRegistry(port!, dir, options);
    await registry.restart();
    return registry;
  }

  private constructor(port: number, dir: string, options: TestRegistryOptions) {
    this.url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
    this.#port = port;
    this.#dir = dir;
    this.#options = options;
  }

  /** The registry forgets everything. */
  async restart(): Promise<void> {
    await kill9(this.#process);
    const { major, java } = this.#options;
    const jars = await registryJars(major);
    const runner = readdirSync(jars).find((name) => /^quarkus-run\.jar$|-runner\.jar$/.test(name))!;
    this.#process = await startJava(
      [`-Dquarkus.http.port=${this.#port}`, '-Dquarkus.http.host=127.0.0.1', '-jar', join(jars, runner)],
      join(this.#dir, 'registry.log'),
      () =>
        fetch(`${this.url}/subjects`).then(
          (response) => response.ok,
          () => false,
        ),
      java,
    );
  }

  /** The registry is away until `restart`. */
  kill(): Promise<void> {
    return kill9(this.#process);
  }

  async stop(): Promise<void> {
    await kill9(this.#process);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
