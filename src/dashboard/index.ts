import type { Dashboard } from '../app/run.ts';
import type { HttpOptions } from '../http/options.ts';
import { Access } from './access.ts';
import { serveDashboard } from './server.ts';
import { DashboardStore } from './store.ts';

/** Port of the live page if the config names none. */
const DEFAULT_PORT = 8080;

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
