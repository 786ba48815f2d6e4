/** All 65,536 halves as floats; safetensors of fp16 are read by this table. */
const FLOAT16_TABLE = new Float32Array(65_536);
for (let bits = 0; bits < FLOAT16_TABLE.length; bits++) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : (1024 + fraction) * 2 ** (exponent - 25);
  FLOAT16_TABLE[bits] = bits & 0x8000 ? -size : size;
}

/** IEEE half precision → fp32, exactly. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = FLOAT16_TABLE[bits[i]!]!;
  return values;
}

/** fp32 → IEEE half precision, rounded to nearest, ties to even; what is too large becomes infinite. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) halves[i] = encodeFloat16(words[i]!);
  return halves;
}

/** The bits of one float → the bits of one half. */
function encodeFloat16(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const exponent = (word >>> 23) & 255;
  let fraction = word & 0x7fffff;
  if (exponent === 255) return sign | 0x7c00 | (fraction ? 0x200 : 0);
  // Below 113 the half has no leading one: shift the fraction, with its own, into place.
  let shift = 13;
  let high = exponent - 112;
  if (high <= 0) {
    fraction |= 0x800000;
    shift += 1 - high;
    high = 0;
    if (shift > 24) return sign;
  }
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  const up = rest > tie || (rest === tie && kept & 1) ? 1 : 0;
  // A carry out of the fraction is the next exponent, as it should be.
  const bits = (high << 10) + kept + up;
  return sign | Math.min(bits, 0x7c00);
}
