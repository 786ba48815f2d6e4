import type { Pipeline, PipelineObserver } from '../app/pipeline.ts';
import type { Routes } from '../http/health.ts';
import type { HttpOptions } from '../http/options.ts';
import { Access } from './access.ts';
import { serveDashboard } from './server.ts';
import { DashboardStore } from './store.ts';

/** Port of the live page if the config names none. */
const DEFAULT_PORT = 8080;

export interface Dashboard {
  readonly observer: PipelineObserver;
  /** The config's HTTP options, always with a port. */
  readonly http: HttpOptions;
  routes(pipeline: Pick<Pipeline, 'thresholds' | 'cameras'>): Routes;
}

/** The live page of a run. Throws CONFIG_INVALID if other machines could see it without a token. */
export function openDashboard(config: HttpOptions, options: { readonly showVideo: boolean }): Dashboard {
  const http = { ...config, port: config.port ?? DEFAULT_PORT };
  const access = new Access(http.host, http.token);
  const store = new DashboardStore(options);
  return {
    http,
    observer: {
      frames: (frames) => store.addFrames(frames),
      status: (status) => store.updateCamera(status),
      faces: (faces) => store.addCrops(faces),
    },
    routes:
      ({ thresholds, cameras }) =>
      (server) =>
        serveDashboard(server, { store, thresholds, cameras, access }),
  };
}
