import { printableJson, printableLines } from '../printable.ts';

/** Prints text, whose parts from outside are each in one line (`printable`). */
export function printLine(text: string): void {
  process.stdout.write(`${printableLines(text)}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(jsonLine(value));
}

export function jsonLine(value: unknown): string {
  return `${printableJson(JSON.stringify(value))}\n`;
}

/** Prints a line for people to standard error. */
export function printNote(text: string): void {
  process.stderr.write(`${printableLines(text)}\n`);
}
