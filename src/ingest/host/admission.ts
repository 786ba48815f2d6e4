import type { IngestOptions } from '../options.ts';

/** Cores assumed for a camera before any is measured: about those of 720p25. */
const ASSUMED_CORES = 0.25;

/**
 * Admission control: decides whether this machine has room for one more camera, by the cores that the running ones need
 * to analyse every due frame. Pure: measurements are passed in.
 */
export class Admission {
  readonly #options: Pick<IngestOptions, 'maxCameras' | 'cpuBudget'>;
  readonly #cores: number;

  constructor(options: Pick<IngestOptions, 'maxCameras' | 'cpuBudget'>, cores: number) {
    this.#options = options;
    this.#cores = cores;
  }

  /**
   * Returns why one more camera is refused; null admits it. `running`: cores that each running camera needs, null if not
   * measured.
   */
  refusal(running: readonly (number | null)[]): string | null {
    const { maxCameras, cpuBudget } = this.#options;
    if (maxCameras !== null)
      return running.length < maxCameras
        ? null
        : `${running.length} cameras are running, the maximum by ingest.maxCameras`;
    // The first camera is always admitted.
    if (running.length === 0) return null;
    const measured = running.filter((cores) => cores !== null);
    const sum = measured.reduce((total, cores) => total + cores, 0);
    const typical = measured.length > 0 ? sum / measured.length : ASSUMED_CORES;
    const needed = sum + typical * (running.length - measured.length);
    const budget = cpuBudget * this.#cores;
    if (needed + typical <= budget) return null;
    const [run, one, all] = [needed, typical, budget].map((cores) => cores.toFixed(1));
    return (
      `${running.length} running cameras need ${run} cores to analyse every frame, one more about ${one}; the limit is ` +
      `${all} (ingest.cpuBudget ${cpuBudget} × ${this.#cores} cores)`
    );
  }
}
