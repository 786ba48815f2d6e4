import type { CameraStatus } from '../domain/camera-status.ts';
import type { AustreamError } from '../errors.ts';
import { StatusTracker } from '../ingest/host/status-tracker.ts';

/** Cameras of the topic whose record this version cannot read. No `CameraSet` has them, but they have a status. */
export class UnreadableCameras {
  readonly #trackers = new Map<string, StatusTracker>();
  readonly #tell: (status: CameraStatus) => void;

  constructor(tell: (status: CameraStatus) => void) {
    this.#tell = tell;
  }

  add(id: string, { code, message, fix }: AustreamError): void {
    const tracker = new StatusTracker(id, 0);
    this.#trackers.set(id, tracker);
    const cure = fix ?? `write it again: austream cameras add ${id}, of this version`;
    tracker.setState('REFUSED', code, `${message} (${cure})`);
    this.#tell(tracker.status());
  }

  /** The record can be read now: other statuses of the camera follow. */
  delete(id: string): void {
    this.#trackers.delete(id);
  }

  stop(id: string, cause: 'removed' | 'stopped'): void {
    const tracker = this.#trackers.get(id);
    if (!tracker) return;
    this.#trackers.delete(id);
    tracker.setState('STOPPED', cause, cause);
    this.#tell(tracker.status());
  }
}
