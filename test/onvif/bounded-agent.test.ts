import { expect, test } from 'vitest';
import { NamespaceCheck } from '../../src/onvif/bounded-agent.ts';

function accepts(text: string, chunkSize: number): boolean {
  const check = new NamespaceCheck();
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length; from += chunkSize)
    if (!check.accepts(bytes.subarray(from, from + chunkSize))) return false;
  return true;
}

const declared = '<a xmlns="u" xmlns:tt = "http://www.onvif.org/ver10/schema">xmlns as a word</a>';

test.each([1, 3, 300, 1 << 20])(
  'namespaces pass, words that would take hours do not, in chunks of %d',
  (size) => {
    expect(accepts(declared.repeat(3), size)).toBe(true);
    expect(accepts(`${declared}${'xmlns '.repeat(1000)}`, size)).toBe(false);
    expect(accepts(`xmlns${'x'.repeat(300)}="u"`, size)).toBe(false);
  },
);
