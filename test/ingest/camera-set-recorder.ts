import { fileURLToPath } from 'node:url';
import { type CameraOptions, cameraOptions } from '../../src/camera/options.ts';
import { detectOptions } from '../../src/detect/options.ts';
import type { CameraStatus } from '../../src/domain/camera-status.ts';
import type { FrameFaces } from '../../src/domain/face.ts';
import { CameraSet } from '../../src/ingest/host/camera-set.ts';
import { ingestOptions } from '../../src/ingest/options.ts';
import type { ChildProgram } from './recorder.ts';

export const camera = (id: string, url: string, more: object = {}): CameraOptions =>
  cameraOptions.parse({ id, url, ...more });

/** Records everything that a set of cameras emits, by camera. */
export class CameraSetRecorder {
  readonly faces = new Map<string, FrameFaces[]>();
  readonly statuses: CameraStatus[] = [];
  /** `cameraId/epoch` of each ended epoch. */
  readonly ended: string[] = [];
  /** `cameraId/epoch` of each epoch that a pause ended. */
  readonly discarded: string[] = [];
  readonly set: CameraSet;

  /** `hasBackpressure`: whether the stages after ingest cannot keep up; never by default. `now`: for schedules. */
  constructor(
    ingest: object = {},
    program: ChildProgram = 'plain',
    hasBackpressure?: () => boolean,
    now: () => number = Date.now,
  ) {
    this.set = new CameraSet(
      {
        // Arrival times only: the camera's clock would begin a second epoch.
        ingest: ingestOptions.parse({ maxClockErrorSeconds: 0, statusSeconds: 1, ...ingest }),
        detect: detectOptions.parse({}),
        entry: fileURLToPath(new URL(`children/${program}.ts`, import.meta.url)),
        strict: true,
        now,
      },
      {
        faces: (faces) => void this.framesOf(faces.cameraId).push({ ...faces, crops: [] }),
        epochEnded: (cameraId, epoch) => void this.ended.push(`${cameraId}/${epoch}`),
        epochDiscarded: (cameraId, epoch) => void this.discarded.push(`${cameraId}/${epoch}`),
        status: (status) => void this.statuses.push(status),
      },
      hasBackpressure,
    );
  }

  /** The frames of one camera, without crops. */
  framesOf(id: string): FrameFaces[] {
    if (!this.faces.has(id)) this.faces.set(id, []);
    return this.faces.get(id)!;
  }

  newest(id: string): CameraStatus | undefined {
    return this.statuses.findLast(({ cameraId }) => cameraId === id);
  }

  /** Waits for that many more frames. */
  async frames(id: string, more: number): Promise<void> {
    const target = this.framesOf(id).length + more;
    await until(() => this.framesOf(id).length >= target);
  }
}

/** Polls until the condition holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 50));
}
