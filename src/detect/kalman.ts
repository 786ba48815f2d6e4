/** Innovations beyond so many standard deviations mean that the face really moved. */
const MANOEUVRE_SIGMAS = 2.5;

/**
 * One quantity and its speed under a constant-velocity Kalman filter. While the quantity rests the filter averages
 * over many measurements; a measurement that its uncertainty cannot explain widens it at once (a strong tracking
 * filter, Zhou and Frank 1996), so that real movements are followed without lag.
 */
export class KalmanFilter {
  value: number;
  speed = 0;
  readonly #acceleration: number;
  // Covariance of (value, speed).
  #vv: number;
  #vs = 0;
  #ss: number;

  /**
   * @param value first measurement
   * @param variance of that measurement
   * @param speedVariance of the unknown first speed (per second)
   * @param acceleration spectral density of the white acceleration that drives the speed
   */
  constructor(value: number, variance: number, speedVariance: number, acceleration: number) {
    this.value = value;
    this.#vv = variance;
    this.#ss = speedVariance;
    this.#acceleration = acceleration;
  }

  /** Standard deviation of the value. */
  get sigma(): number {
    return Math.sqrt(this.#vv);
  }

  /** Moves on by `dt` seconds. */
  predict(dt: number): void {
    const q = this.#acceleration;
    this.value += this.speed * dt;
    this.#vv += 2 * dt * this.#vs + dt * dt * this.#ss + (q * dt ** 3) / 3;
    this.#vs += dt * this.#ss + (q * dt * dt) / 2;
    this.#ss += q * dt;
  }

  /** Takes in a measurement. */
  update(measured: number, variance: number): void {
    const innovation = measured - this.value;
    const excess = innovation ** 2 - MANOEUVRE_SIGMAS ** 2 * (this.#vv + variance);
    if (excess > 0) {
      const widen = (innovation ** 2 - variance) / this.#vv;
      this.#vv *= widen;
      this.#vs *= widen;
      this.#ss *= widen;
    }
    const total = this.#vv + variance;
    const gain = this.#vv / total;
    const speedGain = this.#vs / total;
    this.value += gain * innovation;
    this.speed += speedGain * innovation;
    this.#ss -= speedGain * this.#vs;
    this.#vs *= 1 - gain;
    this.#vv *= 1 - gain;
  }

  /** Keeps only `part` of the speed: what is not seen is not assumed to move on for ever. */
  slow(part: number): void {
    this.speed *= part;
  }
}
