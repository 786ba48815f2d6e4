import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float16ToFloat32, float32ToFloat16 } from '../../../src/infer/weights/float16.ts';

const everyFloat16 = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);

/** The value of a float16 bit pattern by the definition of IEEE 754. */
function value(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

describe('float16 (half precision)', () => {
  it('decodes every bit pattern exactly', () => {
    expect(float16ToFloat32(everyFloat16)).toEqual(Float32Array.from(everyFloat16, value));
  });

  it('encodes every decoded value to the same bits', () => {
    const finite = everyFloat16.filter((bits) => Number.isFinite(value(bits)));
    expect(float32ToFloat16(float16ToFloat32(finite))).toEqual(finite);
  });

  it('rounds to nearest, ties to even', () => {
    const ascending = float16ToFloat32(everyFloat16.filter((bits) => bits < 0x7c00));
    fc.assert(
      fc.property(fc.float({ min: 0, max: 65_519, maxExcluded: true, noNaN: true }), (x) => {
        const [bits] = float32ToFloat16(Float32Array.of(x));
        const nearest = ascending[bits!]!;
        const error = Math.abs(nearest - x);
        for (const other of [bits! - 1, bits! + 1]) {
          const distance = Math.abs((ascending[other] ?? Infinity) - x);
          expect(error).toBeLessThanOrEqual(distance);
          if (error === distance) expect(bits! % 2).toBe(0);
        }
        expect(float32ToFloat16(Float32Array.of(-x))[0]).toBe(bits! | 0x8000);
      }),
      { numRuns: 2_000 },
    );
  });

  it('encodes overflow as infinity', () => {
    expect([...float32ToFloat16(Float32Array.of(65_519, 65_520, 1e30, -Infinity))]).toEqual([
      0x7bff, 0x7c00, 0x7c00, 0xfc00,
    ]);
  });
});
