import type { PipelineObserver } from '../app/pipeline.ts';
import { jsonLine, printJson } from './output.ts';
import { PacedOutput } from './paced-output.ts';

type Observer = Required<PipelineObserver>;

/** `--json` of `run` and `demo`: events and camera states as JSON lines, and a summary as the last one. */
export class JsonLines implements PipelineObserver {
  readonly #output = new PacedOutput();

  readonly frames: Observer['frames'] = (frames) => {
    for (const frame of frames) this.#print({ type: 'frame', ...frame });
  };

  readonly activations: Observer['activations'] = (activations) => {
    for (const activation of activations) this.#print({ type: 'activation', ...activation });
  };

  readonly status: Observer['status'] = (status) => this.#print({ type: 'camera', ...status });

  readonly room: Observer['room'] = (signal) => this.#output.room(signal);

  summary(summary: object): void {
    this.#output.close();
    printJson({ type: 'summary', ...summary, linesLeftOut: this.#output.leftOut });
  }

  #print(value: unknown): void {
    this.#output.write(jsonLine(value));
  }
}
