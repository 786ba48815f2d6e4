import { Access } from '../../src/dashboard/access/access.ts';
import { type DashboardOptions, dashboardOptions } from '../../src/dashboard/options.ts';
import { serveDashboard } from '../../src/dashboard/server.ts';
import { DashboardStore } from '../../src/dashboard/store.ts';
import type { HttpOptions } from '../../src/http/options.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { emptyCameraSet } from './empty-camera-set.ts';

interface ServeOptions {
  readonly http?: Partial<HttpOptions>;
  readonly dashboard?: Parameters<typeof dashboardOptions.parse>[0];
  readonly showVideo?: boolean;
  readonly now?: () => number;
}

/** The live page on a loopback port (a free one unless `http` names it), with an empty camera set; open to everyone unless `dashboard` or `http` say otherwise. */
export async function serveLivePage({
  http: httpOptions,
  dashboard,
  showVideo = false,
  now,
}: ServeOptions = {}) {
  const http: HttpOptions = { host: '127.0.0.1', port: 0, ...httpOptions };
  const options: DashboardOptions = dashboardOptions.parse(dashboard ?? { open: httpOptions === undefined });
  const access = new Access(http, options, now);
  const store = new DashboardStore({ showVideo });
  const server = createHttpServer(http);
  const cameras = emptyCameraSet(store);
  await serveDashboard(server, { store, thresholds: new Float32Array(12).fill(0.5), cameras, access });
  const url = await server.listen({ host: '127.0.0.1', port: httpOptions?.port ?? 0 });
  const close = async () => {
    await server.close();
    await cameras.close();
  };
  return { store, server, url, cameras, access, close };
}
