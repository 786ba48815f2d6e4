import type { CameraOptions } from '../../camera/options.ts';
import { isLiveSource } from '../../camera/source-url.ts';
import type { FrameFaces } from '../../domain/face.ts';
import type { ClockSource } from '../../domain/frame.ts';
import { AustreamError } from '../../errors.ts';

/** A camera process numbers its epochs one by one; those without a frame that reached the host are not seen. */
const MAX_EPOCH_STEP = 1_000;

/**
 * Checks what the frames of one camera process say against what the host knows: a process that an attacker took over
 * must not speak for another camera, nor use up epoch numbers or the memory of tracks. One guard per process.
 */
export class FrameGuard {
  readonly #cameraId: string;
  readonly #isLive: boolean;
  readonly #maxFaces: number;
  readonly #zones: ReadonlySet<string>;
  #epoch: number;
  /** Of the newest message: messages and frames take different ways, and either may be ahead. */
  #announcedEpoch: number;
  /** Number of the newest frame in `#epoch`; null before the process's first. */
  #frame: number | null = null;
  /** Tracks of `#epoch` with a crop, until they end. */
  readonly #openTracks = new Set<number>();

  /** `lastEpoch`: of the process before. */
  constructor(camera: CameraOptions, maxFaces: number, lastEpoch: number) {
    this.#cameraId = camera.id;
    this.#isLive = isLiveSource(camera.url);
    this.#maxFaces = maxFaces;
    this.#zones = new Set(camera.detect?.zones.map(({ id }) => id));
    this.#epoch = this.#announcedEpoch = lastEpoch;
  }

  /** Throws CAMERA_PROCESS_DIED if the frame contradicts those before it or the camera's options. */
  check(faces: FrameFaces): void {
    if (faces.cameraId !== this.#cameraId) throw refused('a frame of another camera');
    this.#checkClock(faces.clockSource);
    if (faces.epoch !== this.#epoch || this.#frame === null) this.#beginEpoch(faces.epoch);
    if (this.#frame !== null && faces.frame <= this.#frame)
      throw refused(`frame ${faces.frame} after frame ${this.#frame}`);
    this.#frame = faces.frame;
    for (const { trackId, zones } of faces.crops) {
      const unknown = zones.find((zone) => !this.#zones.has(zone));
      if (unknown !== undefined) throw refused(`the zone ${unknown}, which the camera does not have`);
      this.#openTracks.add(trackId);
    }
    for (const trackId of faces.endedTracks) this.#openTracks.delete(trackId);
    if (this.#openTracks.size > this.#maxFaces)
      throw refused(`${this.#openTracks.size} open tracks; detect.maxFaces is ${this.#maxFaces}`);
  }

  /** The same for the message that an epoch begins. */
  checkEpoch(epoch: number, clockSource: ClockSource): void {
    this.#checkClock(clockSource);
    this.#checkStep(epoch, this.#announcedEpoch);
    this.#announcedEpoch = epoch;
  }

  #checkClock(clockSource: ClockSource): void {
    if ((clockSource === 'file') === this.#isLive) throw refused(`the clock source ${clockSource}`);
  }

  #beginEpoch(epoch: number): void {
    this.#checkStep(epoch, this.#epoch);
    this.#epoch = epoch;
    this.#frame = null;
    this.#openTracks.clear();
  }

  #checkStep(epoch: number, last: number): void {
    if (epoch <= last) throw refused(`epoch ${epoch} after epoch ${last}`);
    if (epoch > last + MAX_EPOCH_STEP) throw refused(`epoch ${epoch}, far above ${last}`);
  }
}

function refused(what: string): AustreamError {
  return new AustreamError('CAMERA_PROCESS_DIED', `the camera process sent ${what}`);
}
