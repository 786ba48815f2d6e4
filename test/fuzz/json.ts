import type { Random } from './random.ts';

const KEYS = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', 'then', ''];
/** As text: JSON has no Infinity, but 1e999 becomes it. */
const VALUES = [
  ...['null', 'true', '0', '-1', '1.5', '1e308', '1e999', '9007199254740993', '""', '[]', '{}'],
  ...['"__proto__"', '"constructor"', '{"__proto__":{"polluted":1}}', '{"toString":1}', '[[[[[[[[[]]]]]]]]]'],
  `"${'x'.repeat(3_000)}"`,
  `${'['.repeat(2_000)}${']'.repeat(2_000)}`,
];

/** Replaces, removes or renames one value of a JSON text; leaves what is not JSON. */
export function mutateJson(bytes: Buffer, random: Random): Buffer {
  const text = bytes.toString();
  const spans = [
    ...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|\[\]|\{\}/g),
  ];
  if (spans.length === 0) return bytes;
  const { index, 0: span } = random.pick(spans);
  const isKey = /^\s*:/.test(text.slice(index + span.length, index + span.length + 4));
  const key = JSON.stringify(random.pick(KEYS));
  const value = random.pick(VALUES);
  const replacement = isKey
    ? random.pick([key, `${key}:${value},${span}`])
    : random.pick([value, value, `${span},${span}`]);
  return Buffer.from(text.slice(0, index) + replacement + text.slice(index + span.length));
}
