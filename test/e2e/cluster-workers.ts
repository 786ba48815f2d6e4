import { Austream, type Scratch } from './austream.ts';

export type WorkerKind = 'ingest' | 'infer' | 'run';

/** The worker processes of one cluster. */
export class WorkerProcesses {
  readonly #scratch: Scratch;
  readonly #base: object;
  readonly #running: Record<WorkerKind, Austream[]> = { ingest: [], infer: [], run: [] };
  #configs = 0;
  /** Standard error of all workers that have ended. */
  stderr = '';

  /** `base`: the config that all workers share. */
  constructor(scratch: Scratch, base: object) {
    this.#scratch = scratch;
    this.#base = base;
  }

  /** Starts a worker; resolves when it logs `running`. */
  async start(kind: WorkerKind, extra: object = {}): Promise<Austream> {
    const file = this.#scratch.file(`${kind}-${this.#configs++}.yaml`, { ...this.#base, ...extra });
    const worker = new Austream([kind, '-c', file, '--json'], { CAMERA_PASSWORD: 'unused' });
    this.#running[kind].push(worker);
    await worker.untilLogged('"msg":"running');
    return worker;
  }

  running(kind: WorkerKind): readonly Austream[] {
    return this.#running[kind];
  }

  async kill(worker: Austream): Promise<void> {
    this.#remove(worker);
    worker.signal('SIGKILL');
    await worker.exited;
    this.stderr += worker.stderr;
  }

  /** Stops a worker with SIGTERM; resolves with its exit code. */
  async stop(worker: Austream): Promise<number> {
    this.#remove(worker);
    worker.signal('SIGTERM');
    const code = await worker.exited;
    this.stderr += worker.stderr;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = Object.values(this.#running).flat();
    await Promise.all(all.map((worker) => worker[Symbol.asyncDispose]()));
  }

  #remove(worker: Austream): void {
    for (const kind of ['ingest', 'infer', 'run'] as const)
      this.#running[kind] = this.#running[kind].filter((other) => other !== worker);
  }
}
