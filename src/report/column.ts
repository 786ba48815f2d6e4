/** A recording may have thousands of short tracks, of 27 columns each. */
const FIRST_LENGTH = 16;

/** A growing typed array. NaN means no value. */
export class Column {
  #values: Float32Array | Float64Array;
  length = 0;

  /** `Float64Array` for values that need more than 24 bits of precision. */
  constructor(kind: typeof Float32Array | typeof Float64Array = Float32Array) {
    this.#values = new kind(FIRST_LENGTH);
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const grown = new (this.#values.constructor as typeof Float32Array)(2 * this.length);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.length] = value;
    this.length += 1;
  }

  at(index: number): number {
    return this.#values[index]!;
  }

  /** NaN when empty. */
  mean(): number {
    let sum = 0;
    for (let index = 0; index < this.length; index++) sum += this.#values[index]!;
    return sum / this.length;
  }

  get values(): Float32Array | Float64Array {
    return this.#values.subarray(0, this.length);
  }
}
