/** Gate: an innovation beyond this many standard deviations means real movement, not measurement noise. */
const GATE_SIGMAS = 2.5;

/**
 * Constant-velocity Kalman filter of one quantity; state (value, velocity).
 *
 * At rest it averages over many measurements. An innovation outside the gate inflates the covariance at once (strong
 * tracking filter, Zhou and Frank 1996), so that the filter follows real movement without lag.
 */
export class KalmanFilter {
  value: number;
  /** Per second. */
  velocity = 0;
  readonly #processNoise: number;
  // Covariance matrix of (value, velocity).
  #pxx: number;
  #pxv = 0;
  #pvv: number;

  /**
   * @param value first measurement
   * @param variance of the first measurement
   * @param velocityVariance of the unknown initial velocity (per second)
   * @param processNoise spectral density of the white acceleration that drives the velocity
   */
  constructor(value: number, variance: number, velocityVariance: number, processNoise: number) {
    this.value = value;
    this.#pxx = variance;
    this.#pvv = velocityVariance;
    this.#processNoise = processNoise;
  }

  /** Standard deviation of the value. */
  get sigma(): number {
    return Math.sqrt(this.#pxx);
  }

  /** Predicts the state `dt` seconds ahead. */
  predict(dt: number): void {
    const q = this.#processNoise;
    this.value += this.velocity * dt;
    this.#pxx += 2 * dt * this.#pxv + dt * dt * this.#pvv + (q * dt ** 3) / 3;
    this.#pxv += dt * this.#pvv + (q * dt * dt) / 2;
    this.#pvv += q * dt;
  }

  /** Corrects the state by a measurement with this variance. */
  update(measurement: number, variance: number): void {
    const innovation = measurement - this.value;
    const excess = innovation ** 2 - GATE_SIGMAS ** 2 * (this.#pxx + variance);
    if (excess > 0) {
      const inflation = (innovation ** 2 - variance) / this.#pxx;
      this.#pxx *= inflation;
      this.#pxv *= inflation;
      this.#pvv *= inflation;
    }
    const innovationVariance = this.#pxx + variance;
    const gain = this.#pxx / innovationVariance;
    const velocityGain = this.#pxv / innovationVariance;
    this.value += gain * innovation;
    this.velocity += velocityGain * innovation;
    this.#pvv -= velocityGain * this.#pxv;
    this.#pxv *= 1 - gain;
    this.#pxx *= 1 - gain;
  }

  /** Multiplies the velocity by `factor` (0…1): an unmeasured quantity must not drift for ever. */
  dampVelocity(factor: number): void {
    this.velocity *= factor;
  }
}
