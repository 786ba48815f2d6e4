/** Innovations beyond so many standard deviations mean that the face really moved. */
const GATE_SIGMAS = 2.5;

/**
 * One quantity and its speed under a constant-velocity Kalman filter. While the quantity rests the filter averages
 * over many measurements; a measurement that its uncertainty cannot explain widens it at once (a strong tracking
 * filter, Zhou and Frank 1996), so that real movements are followed without lag.
 */
export class KalmanFilter {
  value: number;
  velocity = 0;
  readonly #processNoise: number;
  // Covariance of (value, speed).
  #pxx: number;
  #pxv = 0;
  #pvv: number;

  /**
   * @param value first measurement
   * @param variance of that measurement
   * @param speedVariance of the unknown first speed (per second)
   * @param acceleration spectral density of the white acceleration that drives the speed
   */
  constructor(value: number, variance: number, speedVariance: number, acceleration: number) {
    this.value = value;
    this.#pxx = variance;
    this.#pvv = speedVariance;
    this.#processNoise = acceleration;
  }

  /** Standard deviation of the value. */
  get sigma(): number {
    return Math.sqrt(this.#pxx);
  }

  /** Moves on by `dt` seconds. */
  predict(dt: number): void {
    const q = this.#processNoise;
    this.value += this.velocity * dt;
    this.#pxx += 2 * dt * this.#pxv + dt * dt * this.#pvv + (q * dt ** 3) / 3;
    this.#pxv += dt * this.#pvv + (q * dt * dt) / 2;
    this.#pvv += q * dt;
  }

  /** Takes in a measurement. */
  update(measured: number, variance: number): void {
    const innovation = measured - this.value;
    const excess = innovation ** 2 - GATE_SIGMAS ** 2 * (this.#pxx + variance);
    if (excess > 0) {
      const widen = (innovation ** 2 - variance) / this.#pxx;
      this.#pxx *= widen;
      this.#pxv *= widen;
      this.#pvv *= widen;
    }
    const total = this.#pxx + variance;
    const gain = this.#pxx / total;
    const speedGain = this.#pxv / total;
    this.value += gain * innovation;
    this.velocity += speedGain * innovation;
    this.#pvv -= speedGain * this.#pxv;
    this.#pxv *= 1 - gain;
    this.#pxx *= 1 - gain;
  }

  /** Keeps only `part` of the speed: what is not seen is not assumed to move on for ever. */
  dampVelocity(part: number): void {
    this.velocity *= part;
  }
}
