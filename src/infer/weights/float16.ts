/** Lookup table: the value of each of the 65,536 bit patterns of IEEE 754 half precision (float16, binary16). */
const FLOAT16_TABLE = new Float32Array(65_536);
for (let bits = 0; bits < FLOAT16_TABLE.length; bits++) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const magnitude =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : (1024 + fraction) * 2 ** (exponent - 25);
  FLOAT16_TABLE[bits] = bits & 0x8000 ? -magnitude : magnitude;
}

/** IEEE 754 half precision (bits) → fp32, exact. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = FLOAT16_TABLE[bits[i]!]!;
  return values;
}

/** fp32 → IEEE 754 half precision (bits), rounded to nearest, ties to even; overflow becomes infinity. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint16Array(values.length);
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) bits[i] = encodeFloat16(words[i]!);
  return bits;
}

/** The bits of one float32 → the bits of one float16. */
function encodeFloat16(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const exponent = (word >>> 23) & 255;
  let fraction = word & 0x7fffff;
  if (exponent === 255) return sign | 0x7c00 | (fraction ? 0x200 : 0);
  // Subnormal float16 (exponent below 113): no implicit leading one, so shift the fraction with its explicit one.
  let shift = 13;
  let high = exponent - 112;
  if (high <= 0) {
    fraction |= 0x800000;
    shift += 1 - high;
    high = 0;
    if (shift > 24) return sign;
  }
  const kept = fraction >>> shift;
  const remainder = fraction & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  const roundUp = remainder > tie || (remainder === tie && kept & 1) ? 1 : 0;
  // A carry out of the fraction increments the exponent, which is the correct result.
  const bits = (high << 10) + kept + roundUp;
  return sign | Math.min(bits, 0x7c00);
}
