import { readFileSync } from 'node:fs';

export interface Block {
  /** sh, yaml, ts, text, or empty. */
  readonly language: string;
  readonly text: string;
  /** Line number of its first line. */
  readonly line: number;
}

/** The fenced code blocks of a Markdown file. */
export function blocksOf(path: string): Block[] {
  const blocks: Block[] = [];
  let open: { language: string; lines: string[]; line: number } | null = null;
  for (const [index, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    const fence = /^```(\w*)$/.exec(line);
    if (fence && open) {
      blocks.push({ language: open.language, text: `${open.lines.join('\n')}\n`, line: open.line });
      open = null;
    } else if (fence) open = { language: fence[1]!, lines: [], line: index + 2 };
    else open?.lines.push(line);
  }
  return blocks;
}
