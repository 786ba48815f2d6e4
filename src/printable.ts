/**
 * Characters that change how a terminal or a reader sees the text around them: controls (C0, C1, and with them escape
 * sequences), line separators, bidirectional overrides and isolates (CVE-2021-42574), and invisible ones.
 */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
/** The longest text of another program that is shown in one line. */
export const MAX_LINE = 500;
const PLAIN_ASCII = /^[\x20-\x7e]*$/;

/** Text from outside as one line that is safe to print. Line breaks and tabs become spaces. */
export function printable(text: string, maxLength = MAX_LINE): string {
  const line = PLAIN_ASCII.test(text) ? text : text.replace(/[\t\r\n]+/g, ' ').replace(UNPRINTABLE, '');
  return bounded(line, maxLength);
}

/** The same for a text of several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printableLine).join('\n');
}

function printableLine(line: string): string {
  return printable(line, Number.POSITIVE_INFINITY);
}

/** Every string inside a value, printable. Numbers and structure stay. */
export function printableFields<T>(value: T): T {
  if (typeof value === 'string') return printable(value) as T;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(printableFields) as T;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, printableFields(item)])) as T;
}

/** JSON whose strings keep their value, with every unprintable character as `\uXXXX`. */
export function printableJson(json: string): string {
  if (PLAIN_ASCII.test(json)) return json;
  return json.replace(UNPRINTABLE, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** Cuts a text between characters and marks the cut. */
export function bounded(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  return `${text.slice(0, maxLength - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
