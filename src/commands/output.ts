import type { PipelineObserver } from '../app/pipeline.ts';
import { printableJson, printableLines } from '../printable.ts';

/** Prints text, whose parts from outside are each in one line (`printable`). */
export function printLine(text: string): void {
  process.stdout.write(`${printableLines(text)}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${printableJson(JSON.stringify(value))}\n`);
}

/** Prints events and camera states as JSON lines. */
export const jsonLinesObserver = {
  frames: (frames) => {
    for (const frame of frames) printJson({ type: 'frame', ...frame });
  },
  activations: (activations) => {
    for (const activation of activations) printJson({ type: 'activation', ...activation });
  },
  status: (status) => printJson({ type: 'camera', ...status }),
} satisfies PipelineObserver;

/** The last line of `--json` output. */
export function printJsonSummary(summary: object): void {
  printJson({ type: 'summary', ...summary });
}

/** Prints a line for people to standard error. */
export function printNote(text: string): void {
  process.stderr.write(`${printableLines(text)}\n`);
}
