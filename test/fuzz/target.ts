/** What a fuzzer attacks: anything that reads bytes of someone else. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid inputs, and every input that was a finding once. */
  readonly seeds: readonly Buffer[];
  /** Structure of the inputs, for mutations that keep it; default: bytes only. */
  readonly grammar?: 'json' | 'xml' | 'text';
  /** Words that the reader knows. */
  readonly dictionary?: readonly string[];
  /** Mutations of a run in CI, so that all targets together take about a minute; default 3,000. */
  readonly quick?: number;
  /** Rejects the input with an AustreamError, or accepts it. Anything else is a finding. */
  run(input: Buffer): void | Promise<void>;
  /** Closes what `run` uses. */
  close?(): Promise<void>;
}
