import type { Dashboard } from '../app/live-page.ts';
import type { Config } from '../config/schema.ts';
import { Access } from './access/access.ts';
import { serveDashboard } from './server.ts';
import { DashboardStore } from './store.ts';

/** Port of the live page if the config names none. */
const DEFAULT_PORT = 8080;

/** The live page of a run. Throws CONFIG_INVALID if other machines could see it without a token. */
export function openDashboard(config: Config, options: { readonly showVideo: boolean }): Dashboard {
  const http = { ...config.http, port: config.http.port ?? DEFAULT_PORT };
  const access = new Access(http, config.dashboard);
  const store = new DashboardStore(options);
  return {
    http,
    observer: {
      frames: (frames) => store.addFrames(frames),
      status: (status) => store.updateCamera(status),
      faces: (faces) => store.addCrops(faces),
    },
    needsLink: !access.isOpen && !access.hasPeople,
    issueLink: (url, options) => (access.isOpen ? url : `${url}?token=${access.issueLink(options)}`),
    // Host and port stay as they are until a restart.
    configure: (current) => access.configure({ ...http, token: current.http.token }, current.dashboard),
    routes:
      ({ thresholds, cameras }) =>
      (server) =>
        serveDashboard(server, { store, thresholds, cameras, access }),
  };
}
