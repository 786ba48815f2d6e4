import { Austream, type Scratch } from './austream.ts';

export type Kind = 'ingest' | 'infer' | 'run';

/** The worker processes of one cluster, as a platform would run them: whatever dies is started again. */
export class Workers {
  readonly #scratch: Scratch;
  readonly #base: object;
  readonly #running: Record<Kind, Austream[]> = { ingest: [], infer: [], run: [] };
  #configs = 0;
  /** What workers that are gone had said. */
  stderr = '';

  /** `base`: the config that all of them share. */
  constructor(scratch: Scratch, base: object) {
    this.#scratch = scratch;
    this.#base = base;
  }

  /** Starts a worker; resolves when it runs. */
  async start(kind: Kind, extra: object = {}): Promise<Austream> {
    const file = this.#scratch.file(`${kind}-${this.#configs++}.yaml`, { ...this.#base, ...extra });
    const worker = new Austream([kind, '-c', file, '--json'], { CAMERA_PASSWORD: 'unused' });
    this.#running[kind].push(worker);
    await worker.untilLogged('"msg":"running');
    return worker;
  }

  of(kind: Kind): readonly Austream[] {
    return this.#running[kind];
  }

  async kill(worker: Austream): Promise<void> {
    this.#forget(worker);
    worker.signal('SIGKILL');
    await worker.exited;
    this.stderr += worker.stderr;
  }

  /** Asks it to end; resolves with its exit code. */
  async stop(worker: Austream): Promise<number> {
    this.#forget(worker);
    worker.signal('SIGTERM');
    const code = await worker.exited;
    this.stderr += worker.stderr;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = Object.values(this.#running).flat();
    await Promise.all(all.map((worker) => worker[Symbol.asyncDispose]()));
  }

  #forget(worker: Austream): void {
    for (const kind of ['ingest', 'infer', 'run'] as const)
      this.#running[kind] = this.#running[kind].filter((one) => one !== worker);
  }
}
