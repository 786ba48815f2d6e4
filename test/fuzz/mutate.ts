import { mutateJson } from './json.ts';
import type { Random } from './random.ts';
import type { FuzzTarget } from './target.ts';
import { mutateXml } from './xml.ts';

/** Longer inputs are cut: mutations must not grow from round to round. */
const MAX_BYTES = 1 << 17;
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const WORDS = [
  '__proto__',
  'constructor',
  'toString',
  '\0',
  '\r\n',
  '../',
  '%s',
  '${X}',
  '9'.repeat(400),
  '-1',
  'NaN',
];

/** One to four mutations of a seed. */
export function mutate({ seeds, grammar, dictionary = [] }: FuzzTarget, random: Random): Buffer {
  let bytes = random.pick(seeds);
  for (let round = 1 + random.below(4); round > 0; round--) {
    if (grammar === 'json' && random.below(3) > 0) bytes = mutateJson(bytes, random);
    else if (grammar === 'xml' && random.below(3) > 0) bytes = mutateXml(bytes, random);
    else bytes = mutateBytes(bytes, seeds, [...dictionary, ...WORDS], random);
  }
  return bytes.subarray(0, MAX_BYTES);
}

function mutateBytes(
  bytes: Buffer,
  seeds: readonly Buffer[],
  words: readonly string[],
  random: Random,
): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(64));
  const replaced = (middle: Buffer, until = at) =>
    Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(until)]);
  switch (random.below(9)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      for (let count = 1 + random.below(8); count > 0 && flipped.length > 0; count--)
        flipped[random.below(flipped.length)]! ^= 1 << random.below(8);
      return flipped;
    }
    case 1: {
      const edited = Buffer.from(bytes);
      const size = random.pick([1, 2, 4]);
      const offset = random.below(
        Math.max(1, Math.min(edited.length, random.pick([16, 64, 1 << 20])) - size),
      );
      if (edited.length < offset + size) return edited;
      const value = random.pick(EDGES) % 2 ** (8 * size);
      if (random.below(2) === 0) edited.writeUIntLE(value, offset, size);
      else edited.writeUIntBE(value, offset, size);
      return edited;
    }
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return replaced(Buffer.alloc(0), end);
    case 4:
      return replaced(bytes.subarray(at, end), at);
    case 5: {
      const other = random.pick(seeds);
      return replaced(other.subarray(random.below(other.length + 1)), bytes.length);
    }
    case 6:
      return replaced(Buffer.from(random.pick(words), 'latin1'), random.below(2) === 0 ? at : end);
    case 7:
      return replaced(
        Buffer.from(Array.from({ length: 1 + random.below(16) }, () => random.below(256))),
        end,
      );
    default:
      return replaced(Buffer.alloc(1 + random.below(5_000), bytes[at] ?? 0));
  }
}
