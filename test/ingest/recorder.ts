import { fileURLToPath } from 'node:url';
import { cameraOptions } from '../../src/camera/options.ts';
import { detectOptions } from '../../src/detect/options.ts';
import type { CameraStatus } from '../../src/domain/camera-status.ts';
import type { FrameFaces } from '../../src/domain/face.ts';
import { CameraSupervisor } from '../../src/ingest/host/supervisor.ts';
import { ingestOptions } from '../../src/ingest/options.ts';

export type ChildProgram = 'plain' | 'slow' | 'stalling' | 'hanging' | 'steady' | 'hostile';

/** A supervised camera that records everything it emits, and can wait for more. */
export class Recorder {
  readonly supervisor: CameraSupervisor;
  readonly faces: FrameFaces[] = [];
  readonly statuses: CameraStatus[] = [];
  readonly endedEpochs: number[] = [];
  /** Resolves each pending `until` at the next frame, status or epoch end. */
  #waiting: (() => void)[] = [];

  constructor(
    camera: { url: string; id?: string; [key: string]: unknown },
    ingest: Record<string, unknown> = {},
    options: {
      child?: ChildProgram;
      onFaces?: (faces: FrameFaces) => void | Promise<void>;
      onEpochEnded?: () => void | Promise<void>;
      /** False drops the crops of the recorded frames, for long runs. */
      crops?: boolean;
    } = {},
  ) {
    this.supervisor = new CameraSupervisor(
      cameraOptions.parse({ id: 'cam', ...camera }),
      {
        ingest: ingestOptions.parse({ backoff: { firstSeconds: 0.2, maxSeconds: 1 }, ...ingest }),
        detect: detectOptions.parse({}),
        entry: fileURLToPath(new URL(`children/${options.child ?? 'plain'}.ts`, import.meta.url)),
        strict: true,
      },
      {
        faces: (faces) => {
          this.faces.push(options.crops === false ? { ...faces, crops: [] } : faces);
          this.#wake();
          return options.onFaces?.(faces);
        },
        epochEnded: (_camera, epoch) => {
          this.endedEpochs.push(epoch);
          this.#wake();
          return options.onEpochEnded?.();
        },
        status: (status) => {
          this.statuses.push(status);
          this.#wake();
        },
      },
    );
    this.supervisor.start();
  }

  get state(): string {
    return this.statuses.at(-1)!.state;
  }

  /** All states so far, without repetitions. */
  get states(): string[] {
    return this.statuses.map(({ state }) => state).filter((state, index, all) => state !== all[index - 1]);
  }

  /** The epochs that have frames. */
  get epochs(): number[] {
    return [...new Set(this.faces.map(({ epoch }) => epoch))];
  }

  /** Checksum of each frame's luma plane, in order of arrival. */
  get checksums(): number[] {
    return this.faces.map(({ crops }) => new DataView(crops[0]!.pixels.buffer).getUint32(0, true));
  }

  /** Waits until the condition holds; otherwise throws an error that names it. */
  async until(name: string, condition: () => boolean, timeoutMs = 60_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!condition()) {
      if (performance.now() > deadline) {
        const { state, cause, detail } = this.statuses.at(-1)!;
        throw new Error(
          `not within ${timeoutMs} ms: ${name} (${this.faces.length} frames, ${state} ${cause}: ${detail})`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        setTimeout(resolve, 100);
      });
    }
  }

  /** Waits for that many more frames. */
  async frames(more: number): Promise<void> {
    const target = this.faces.length + more;
    await this.until(`${more} more frames`, () => this.faces.length >= target);
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
