import { readFileSync } from 'node:fs';

export interface Stage {
  readonly from: string;
  readonly name: string;
  readonly lines: readonly { readonly word: string; readonly rest: string }[];
}

/** Parses a Dockerfile into its stages and the instructions before them. */
function parse(text: string): { before: Stage['lines']; stages: Stage[] } {
  const lines = text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim())
    .map((line) => ({
      word: line.split(/\s/, 1)[0]!,
      rest: line.replace(/^\S+\s+/, '').replace(/\s+/g, ' '),
    }));
  const starts = lines.flatMap(({ word }, index) => (word === 'FROM' ? [index] : []));
  const stages = starts.map((start, index) => {
    const [from, name] = lines[start]!.rest.split(' AS ') as [string, string];
    return { from, name, lines: lines.slice(start + 1, starts[index + 1]) };
  });
  return { before: lines.slice(0, starts[0]), stages };
}

export const { before, stages } = parse(
  readFileSync(new URL('../../deploy/docker/Dockerfile', import.meta.url), 'utf8'),
);
