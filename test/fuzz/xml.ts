import type { Random } from './random.ts';

const NAMES = ['__proto__', 'constructor', 'toString', 'valueOf', '_', '$', 'x:y'];
const TEXTS = [
  ...[
    '',
    '-1',
    '1e999',
    '99999999999',
    'true',
    '2024-01-01T00:00:00Z',
    '&lol;',
    '&#0;',
    '&#x41;',
    ']]>',
    '<![CDATA[x]]>',
  ],
  ...['http://[', 'rtsp://evil.test/', 'xmlns '.repeat(40), '<a/>'.repeat(500), 'é'.repeat(300)],
];
const BOMB = '<!DOCTYPE a [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>';

/** Changes one element of an XML text. */
export function mutateXml(bytes: Buffer, random: Random): Buffer {
  const text = bytes.toString();
  const tags = [...text.matchAll(/<\/?([\w:.-]+)([^<>]*)>/g)];
  if (tags.length === 0) return bytes;
  const { index, 0: tag, 1: name } = random.pick(tags);
  const end = index + tag.length;
  const replaced = (middle: string, from = index, to = end) =>
    Buffer.from(text.slice(0, from) + middle + text.slice(to));
  const textEnd = text.indexOf('<', end);
  switch (random.below(8)) {
    case 0:
      return replaced(tag.replace(name!, random.pick(NAMES)));
    case 1:
      return Buffer.from(
        text.replaceAll(new RegExp(`(</?)${name!.replace('.', '\\.')}\\b`, 'g'), `$1${random.pick(NAMES)}`),
      );
    case 2:
      return replaced('');
    case 3:
      return replaced(tag + tag);
    case 4:
      return replaced(random.pick(TEXTS), end, textEnd < 0 ? end : textEnd);
    case 5:
      return replaced(tag.replace(/\/?>$/, ` ${random.pick(NAMES)}="${random.pick(TEXTS)}">`));
    case 6: {
      const depth = 1 + random.below(3_000);
      return replaced(`${'<d>'.repeat(depth)}${'</d>'.repeat(depth)}`, end, end);
    }
    default:
      return Buffer.concat([Buffer.from(BOMB), bytes]);
  }
}
