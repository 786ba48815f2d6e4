import { AustreamError } from '../errors.ts';

/** Detects a model that hangs: busy for a whole interval without a single result. */
export class StallWatch {
  readonly #busy: () => boolean;
  #results = 0;

  /** `busy`: the model has work. */
  constructor(busy: () => boolean) {
    this.#busy = busy;
  }

  /** The model returned a result. A slow model never counts as stalled while it returns results. */
  onResult(): void {
    this.#results += 1;
  }

  /**
   * Checks every `ms` until the returned function is called. Calls `onStall` with ENGINE_FAILED if the model was busy
   * at the last check, is busy now, and returned nothing in between.
   */
  start(ms: number, onStall: (error: AustreamError) => void): () => void {
    const progress = () => (this.#busy() ? this.#results : null);
    let previous = progress();
    const timer = setInterval(() => {
      if (previous !== null && previous === progress()) onStall(stalled(ms));
      previous = progress();
    }, ms);
    return () => clearInterval(timer);
  }
}

function stalled(ms: number): AustreamError {
  return new AustreamError(
    'ENGINE_FAILED',
    `the model returned nothing for ${ms / 1000} s; the queued crops are lost`,
    { fix: 'restart; if it happens again, set another infer.device' },
  );
}
