import { fileURLToPath } from 'node:url';
import { cameraOptions } from '../../src/camera/options.ts';
import { detectOptions } from '../../src/detect/options.ts';
import type { CameraStatus } from '../../src/domain/camera-status.ts';
import type { FrameFaces } from '../../src/domain/face.ts';
import { CameraSupervisor } from '../../src/ingest/host/supervisor.ts';
import { ingestOptions } from '../../src/ingest/options.ts';

export type ChildProgram = 'plain' | 'slow' | 'stalling' | 'hanging' | 'steady';

/** A supervised camera with everything that it told, and a way to wait for more. */
export class Recorder {
  readonly supervisor: CameraSupervisor;
  readonly faces: FrameFaces[] = [];
  readonly statuses: CameraStatus[] = [];
  readonly endedEpochs: number[] = [];
  #changed: (() => void)[] = [];

  constructor(
    camera: { url: string; id?: string; [key: string]: unknown },
    ingest: Record<string, unknown> = {},
    options: {
      child?: ChildProgram;
      onFaces?: (faces: FrameFaces) => void | Promise<void>;
      onEpochEnded?: () => void | Promise<void>;
      /** False keeps the frames without their crops: for long runs. */
      crops?: boolean;
    } = {},
  ) {
    this.supervisor = new CameraSupervisor(
      cameraOptions.parse({ id: 'cam', ...camera }),
      {
        ingest: ingestOptions.parse({ backoff: { firstSeconds: 0.2, maxSeconds: 1 }, ...ingest }),
        detect: detectOptions.parse({}),
        entry: fileURLToPath(new URL(`children/${options.child ?? 'plain'}.ts`, import.meta.url)),
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

  get states(): string[] {
    return this.statuses.map(({ state }) => state).filter((state, index, all) => state !== all[index - 1]);
  }

  get epochs(): number[] {
    return [...new Set(this.faces.map(({ epoch }) => epoch))];
  }

  /** Frames in order of arrival as their luma's checksums. */
  get checksums(): number[] {
    return this.faces.map(({ crops }) => new DataView(crops[0]!.pixels.buffer).getUint32(0, true));
  }

  /** Waits until something holds; the error says what did not. */
  async until(what: string, holds: () => boolean, ms = 20_000): Promise<void> {
    const deadline = performance.now() + ms;
    while (!holds()) {
      if (performance.now() > deadline) {
        const { state, cause, detail } = this.statuses.at(-1)!;
        throw new Error(
          `not within ${ms} ms: ${what} (${this.faces.length} frames, ${state} ${cause}: ${detail})`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#changed.push(resolve);
        setTimeout(resolve, 100);
      });
    }
  }

  async frames(more: number): Promise<void> {
    const target = this.faces.length + more;
    await this.until(`${more} more frames`, () => this.faces.length >= target);
  }

  #wake(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}
