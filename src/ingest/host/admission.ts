import type { IngestOptions } from '../options.ts';

/** Cores that a camera is taken to need before anything was measured: about what one of 720p25 does. */
const GUESS = 0.25;

/**
 * Decides whether this machine has room for one more camera. Each running one is measured: how many cores it would need
 * if every frame that is due were analysed. Pure: measures come from outside.
 */
export class Admission {
  readonly #options: Pick<IngestOptions, 'maxCameras' | 'cpuBudget'>;
  readonly #cores: number;

  constructor(options: Pick<IngestOptions, 'maxCameras' | 'cpuBudget'>, cores: number) {
    this.#options = options;
    this.#cores = cores;
  }

  /** `running`: cores that each running camera needs, null where not known yet. Returns why not, null for yes. */
  refusal(running: readonly (number | null)[]): string | null {
    const { maxCameras, cpuBudget } = this.#options;
    if (maxCameras !== null)
      return running.length < maxCameras
        ? null
        : `${running.length} cameras run already, as many as ingest.maxCameras allows`;
    // Whatever the figures say, one camera is always tried.
    if (running.length === 0) return null;
    const measured = running.filter((cores) => cores !== null);
    const sum = measured.reduce((total, cores) => total + cores, 0);
    const typical = measured.length > 0 ? sum / measured.length : GUESS;
    const needed = sum + typical * (running.length - measured.length);
    const budget = cpuBudget * this.#cores;
    if (needed + typical <= budget) return null;
    const [run, one, all] = [needed, typical, budget].map((cores) => cores.toFixed(1));
    return (
      `${running.length} running cameras need ${run} cores for every frame, one more about ${one}, and that is more than ` +
      `${all} (ingest.cpuBudget ${cpuBudget} × ${this.#cores} cores)`
    );
  }
}
