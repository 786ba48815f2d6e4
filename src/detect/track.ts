import type { Box, FaceKeypoints, FaceTrack } from '../domain/face.ts';
import type { Micros } from '../domain/frame.ts';
import { boxCentre } from './geometry.ts';
import { KalmanFilter } from './kalman.ts';
import type { RotatedSquare } from './mesh.ts';
import type { HeadPose } from './pose.ts';

/** Standard deviations of a measured crop square: parts of its side, and pixels that add to them on small faces. */
const MEASUREMENT_NOISE = { mesh: 0.004, detector: 0.03, pixels: 0.15 };
/** Spectral density of the acceleration of a resting head, in sides and radians; real movements widen it. */
const PROCESS_NOISE = 0.02;
/** Standard deviation of a new face's unknown speed, in sides (log, radians) a second. */
const INITIAL_VELOCITY_SIGMA = 0.5;
/** An unseen face keeps this part of its speed after a second. */
const VELOCITY_DECAY = 0.05;

/** Part of a new measurement that the box around the face takes over. */
const BOX_GAIN = 0.3;

/** What one frame says about one face. */
export interface Measurement {
  /** The square that becomes the crop. */
  readonly square: RotatedSquare;
  readonly box: Box;
  readonly keypoints: FaceKeypoints;
  readonly pose: HeadPose;
  /** Whether the mesh was fitted; the detector alone is coarser. */
  readonly mesh: boolean;
}

/** One face followed through frames by where its crop lies: centre, side (log) and roll, each Kalman-filtered. */
export class Track implements FaceTrack {
  /** 0 until the track is confirmed. */
  trackId = 0;
  /** Detector score of the newest detection. */
  score: number;
  /** Capture time of the newest measurement. */
  measuredAt: Micros;
  /** Capture time of the newest detection by the detector. */
  detectedAt: Micros;
  /** Capture time at which the detector was last sent to look for it. */
  searchedAt: Micros;
  /** Not seen when last looked for. */
  lost = false;
  /** Frames since the newest measurement. */
  framesSinceMeasured = 0;
  #measurement: Measurement;
  /** In crop sides, from the crop's centre. */
  #relativeBox: Box;
  readonly #x: KalmanFilter;
  readonly #y: KalmanFilter;
  readonly #logSide: KalmanFilter;
  readonly #roll: KalmanFilter;

  constructor(measured: Measurement, score: number, at: Micros) {
    this.#measurement = measured;
    this.#relativeBox = relativeBox(measured);
    this.score = score;
    this.measuredAt = at;
    this.detectedAt = at;
    this.searchedAt = at;
    const { centre, side, roll } = measured.square;
    const filter = (value: number, unit: number) =>
      new KalmanFilter(value, (measurementSigma(measured) * unit) ** 2, (INITIAL_VELOCITY_SIGMA * unit) ** 2, PROCESS_NOISE * unit ** 2);
    this.#x = filter(centre.x, side);
    this.#y = filter(centre.y, side);
    this.#logSide = filter(Math.log(side), 1);
    this.#roll = filter(roll, 1);
  }

  /** Where the crop lies now. */
  get square(): RotatedSquare {
    return {
      centre: { x: this.#x.value, y: this.#y.value },
      side: Math.exp(this.#logSide.value),
      roll: this.#roll.value,
    };
  }

  /** The box around the face: its smoothed place relative to the crop, carried along with it. */
  get box(): Box {
    const { centre, side } = this.square;
    const { x, y, w, h } = this.#relativeBox;
    return { x: centre.x + x * side, y: centre.y + y * side, w: w * side, h: h * side };
  }

  get keypoints(): FaceKeypoints {
    return this.#measurement.keypoints;
  }

  get pose(): HeadPose {
    return this.#measurement.pose;
  }

  /** Whether the newest measurement is a mesh's. */
  get hasMesh(): boolean {
    return this.#measurement.mesh;
  }

  /** How far the face may be from where it is expected, in frame pixels: one standard deviation. */
  get positionSigma(): number {
    return Math.hypot(this.#x.sigma, this.#y.sigma);
  }

  /** How fast the face moves, in sides a second. */
  get relativeSpeed(): number {
    const { side } = this.square;
    return Math.max(
      Math.hypot(this.#x.velocity, this.#y.velocity) / side,
      Math.abs(this.#logSide.velocity),
      Math.abs(this.#roll.velocity),
    );
  }

  predict(seconds: number): void {
    this.framesSinceMeasured++;
    for (const filter of [this.#x, this.#y, this.#logSide, this.#roll]) {
      filter.predict(seconds);
      if (this.framesSinceMeasured > 1) filter.dampVelocity(VELOCITY_DECAY ** seconds);
    }
  }

  update(measured: Measurement, at: Micros): void {
    const { centre, side, roll } = measured.square;
    const sigma = measurementSigma(measured);
    this.#x.update(centre.x, (sigma * side) ** 2);
    this.#y.update(centre.y, (sigma * side) ** 2);
    this.#logSide.update(Math.log(side), sigma ** 2);
    // Angles wrap: the nearest turn is meant.
    const turn = 2 * Math.PI * Math.round((this.#roll.value - roll) / (2 * Math.PI));
    this.#roll.update(roll + turn, sigma ** 2);
    const box = relativeBox(measured);
    const blend = (key: keyof Box) => this.#relativeBox[key] + BOX_GAIN * (box[key] - this.#relativeBox[key]);
    this.#relativeBox = { x: blend('x'), y: blend('y'), w: blend('w'), h: blend('h') };
    this.#measurement = measured;
    this.measuredAt = at;
    this.framesSinceMeasured = 0;
  }

  /** The detector saw this face too. */
  recordDetection(score: number, at: Micros): void {
    this.score = score;
    this.detectedAt = at;
  }

  /** Whether the face's middle is within the frame. */
  isCentreInside(width: number, height: number): boolean {
    const { x, y } = boxCentre(this.box);
    return x >= 0 && y >= 0 && x < width && y < height;
  }
}

function measurementSigma({ mesh, square }: Measurement): number {
  return Math.hypot(mesh ? MEASUREMENT_NOISE.mesh : MEASUREMENT_NOISE.detector, MEASUREMENT_NOISE.pixels / square.side);
}

function relativeBox({ square: { centre, side }, box: { x, y, w, h } }: Measurement): Box {
  return { x: (x - centre.x) / side, y: (y - centre.y) / side, w: w / side, h: h / side };
}
