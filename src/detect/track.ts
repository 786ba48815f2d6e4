import type { Box, FaceKeypoints, FaceTrack } from '../domain/face.ts';
import type { Micros } from '../domain/frame.ts';
import { boxCentre, type RotatedSquare } from './geometry.ts';
import { KalmanFilter } from './kalman.ts';
import type { Measurement } from './measurement.ts';
import type { HeadPose } from './pose.ts';

/**
 * Standard deviations of the measurement noise. `mesh`, `detector`: of the centre in crop sides, and the same number for
 * log side and for roll in radians. `pixels`: added to them, in frame pixels; it dominates on small faces.
 */
const MEASUREMENT_NOISE = { mesh: 0.004, detector: 0.03, pixels: 0.15 };
/** Process noise: spectral density of a resting head's acceleration, in crop sides (log side, radians). */
const PROCESS_NOISE = 0.02;
/** Standard deviation of a new face's unknown velocity, in crop sides (log side, radians) per second. */
const INITIAL_VELOCITY_SIGMA = 0.5;
/** Share of its velocity that an unmeasured face keeps after one second. */
const VELOCITY_DECAY = 0.05;
/** Gain of the exponential moving average of the face box. */
const BOX_GAIN = 0.3;

/** One tracked face. Its crop square (centre x, centre y, log side, roll) runs through four Kalman filters. */
export class Track implements FaceTrack {
  /** 0 until the track is confirmed. */
  trackId = 0;
  /** Score of the newest detection, 0…1. */
  score: number;
  /** Capture time of the newest measurement, by mesh or detector. */
  measuredAt: Micros;
  /** Capture time of the newest detection by the detector. */
  detectedAt: Micros;
  /** Capture time of the newest search around the track. */
  searchedAt: Micros;
  /** Whether the last measurement or search failed. */
  lost = false;
  framesSinceMeasured = 0;
  #measurement: Measurement;
  /** Smoothed face box relative to the crop: origin at its centre, unit its side. */
  #relativeBox: Box;
  readonly #x: KalmanFilter;
  readonly #y: KalmanFilter;
  readonly #logSide: KalmanFilter;
  readonly #roll: KalmanFilter;

  constructor(measurement: Measurement, score: number, captureTime: Micros) {
    this.#measurement = measurement;
    this.#relativeBox = relativeBox(measurement);
    this.score = score;
    this.measuredAt = captureTime;
    this.detectedAt = captureTime;
    this.searchedAt = captureTime;
    const { centre, side, roll } = measurement.square;
    const sigma = measurementSigma(measurement);
    const filter = (value: number, unit: number) =>
      new KalmanFilter(
        value,
        (sigma * unit) ** 2,
        (INITIAL_VELOCITY_SIGMA * unit) ** 2,
        PROCESS_NOISE * unit ** 2,
      );
    this.#x = filter(centre.x, side);
    this.#y = filter(centre.y, side);
    this.#logSide = filter(Math.log(side), 1);
    this.#roll = filter(roll, 1);
  }

  /** The crop's square in the current frame, filtered. */
  get square(): RotatedSquare {
    return {
      centre: { x: this.#x.value, y: this.#y.value },
      side: Math.exp(this.#logSide.value),
      roll: this.#roll.value,
    };
  }

  /** The face box in the current frame; it moves with the crop. */
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

  /** Whether the newest measurement is from the mesh. */
  get hasMesh(): boolean {
    return this.#measurement.fromMesh;
  }

  /** Standard deviation of the predicted position in frame pixels. */
  get positionSigma(): number {
    return Math.hypot(this.#x.sigma, this.#y.sigma);
  }

  /** The largest of shift (crop sides), zoom (log side) and rotation (radians) per second. */
  get relativeSpeed(): number {
    const { side } = this.square;
    return Math.max(
      Math.hypot(this.#x.velocity, this.#y.velocity) / side,
      Math.abs(this.#logSide.velocity),
      Math.abs(this.#roll.velocity),
    );
  }

  /** Predicts the crop's square `seconds` ahead, into the next frame. */
  predict(seconds: number): void {
    this.framesSinceMeasured++;
    for (const filter of [this.#x, this.#y, this.#logSide, this.#roll]) {
      filter.predict(seconds);
      if (this.framesSinceMeasured > 1) filter.dampVelocity(VELOCITY_DECAY ** seconds);
    }
  }

  update(measurement: Measurement, captureTime: Micros): void {
    const { centre, side, roll } = measurement.square;
    const sigma = measurementSigma(measurement);
    this.#x.update(centre.x, (sigma * side) ** 2);
    this.#y.update(centre.y, (sigma * side) ** 2);
    this.#logSide.update(Math.log(side), sigma ** 2);
    // Unwrap: use the measured angle plus the full turns that bring it nearest to the state.
    const fullTurns = 2 * Math.PI * Math.round((this.#roll.value - roll) / (2 * Math.PI));
    this.#roll.update(roll + fullTurns, sigma ** 2);
    const box = relativeBox(measurement);
    const blend = (key: keyof Box) => this.#relativeBox[key] + BOX_GAIN * (box[key] - this.#relativeBox[key]);
    this.#relativeBox = { x: blend('x'), y: blend('y'), w: blend('w'), h: blend('h') };
    this.#measurement = measurement;
    this.measuredAt = captureTime;
    this.framesSinceMeasured = 0;
  }

  recordDetection(score: number, captureTime: Micros): void {
    this.score = score;
    this.detectedAt = captureTime;
  }

  /** Whether the centre of the face box is inside the frame. */
  isCentreInside(width: number, height: number): boolean {
    const { x, y } = boxCentre(this.box);
    return x >= 0 && y >= 0 && x < width && y < height;
  }
}

/** In crop sides. */
function measurementSigma({ fromMesh, square }: Measurement): number {
  const { mesh, detector, pixels } = MEASUREMENT_NOISE;
  return Math.hypot(fromMesh ? mesh : detector, pixels / square.side);
}

function relativeBox({ square: { centre, side }, box: { x, y, w, h } }: Measurement): Box {
  return { x: (x - centre.x) / side, y: (y - centre.y) / side, w: w / side, h: h / side };
}
