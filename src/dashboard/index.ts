import type { Pipeline, PipelineObserver } from '../app/pipeline.ts';
import type { Routes } from '../http/health.ts';
import type { HttpOptions } from '../http/options.ts';
import { Access } from './access.ts';
import { DashboardHub } from './store.ts';
import { serveDashboard } from './server.ts';

/** Where the live page is when the config names no port. */
const PORT = 8080;

export interface Dashboard {
  readonly observer: PipelineObserver;
  /** The config's, with a port. */
  readonly http: HttpOptions;
  routes(pipeline: Pick<Pipeline, 'thresholds' | 'cameras'>): Routes;
}

/** The live page of a run. Throws CONFIG_INVALID where others could see it without a token. */
export function openDashboard(config: HttpOptions, options: { readonly showVideo: boolean }): Dashboard {
  const http = { ...config, port: config.port ?? PORT };
  const access = new Access(http.host, http.token);
  const hub = new DashboardHub(options);
  return {
    http,
    observer: {
      frames: (frames) => hub.frames(frames),
      status: (status) => hub.status(status),
      faces: (faces) => hub.pictures(faces),
    },
    routes:
      ({ thresholds, cameras }) =>
      (server) =>
        serveDashboard(server, { hub, thresholds, cameras, access }),
  };
}
