import type { Config } from '../config/schema.ts';
import type { Routes } from '../http/health.ts';
import type { HttpOptions } from '../http/options.ts';
import type { Pipeline, PipelineObserver } from './pipeline.ts';

/** The live page as a part of the process. */
export interface Dashboard {
  readonly observer: PipelineObserver;
  /** The config's HTTP options, always with a port. */
  readonly http: HttpOptions;
  /** Whether only a link opens the page: the config names no people. */
  readonly needsLink: boolean;
  /** The page's URL with a token that opens one session, within ten minutes or, if `lasting`, at any time. */
  issueLink(url: string, options?: { readonly lasting: boolean }): string;
  /** Applies a changed config. Throws CONFIG_INVALID, changing nothing. */
  configure(config: Config): void;
  routes(pipeline: Pick<Pipeline, 'thresholds' | 'cameras'>): Routes;
}

/** The live page at its address. */
export interface LivePage {
  readonly dashboard: Dashboard;
  readonly url: string;
}
