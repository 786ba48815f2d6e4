import type { CameraStatus } from './camera-status.ts';
import { losses } from './loss-cause.ts';

/** Finds what a camera lost since its previous status. A status counts from the start of its epoch. */
export class NewLosses {
  /** By camera: its newest epoch and the losses of it that are known. */
  readonly #known = new Map<string, { readonly epoch: number; readonly drops: Record<string, number> }>();

  /** The losses that no earlier call returned, by cause. */
  of({ cameraId, epoch, drops }: CameraStatus): [cause: string, count: number][] {
    if (epoch === null) return [];
    let known = this.#known.get(cameraId);
    if (known?.epoch !== epoch) {
      known = { epoch, drops: {} };
      this.#known.set(cameraId, known);
    }
    const added: [string, number][] = [];
    for (const [cause, count] of losses(drops)) {
      const before = known.drops[cause] ?? 0;
      if (count <= before) continue;
      known.drops[cause] = count;
      added.push([cause, count - before]);
    }
    return added;
  }
}
