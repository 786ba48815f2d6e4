import type { PipelineObserver } from '../app/pipeline.ts';

export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  printLine(JSON.stringify(value));
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
