import type { FastifyInstance, FastifyReply } from 'fastify';
import { wallMs } from '../clock.ts';
import { ACTION_UNITS } from '../domain/scores.ts';
import type { CameraControl } from '../ingest/host/camera-set.ts';
import type { Access } from './access/access.ts';
import { guardRoutes, personOf } from './access/guard.ts';
import { maySee } from './access/person.ts';
import { serveSignIn } from './access/routes.ts';
import { type Asset, loadAssets } from './assets.ts';
import { serveCameraRoutes } from './camera-routes.ts';
import { EventStreams } from './event-streams.ts';
import type { Hello } from './protocol.ts';
import { type DashboardStore, HISTORY_SECONDS } from './store.ts';

interface DashboardServices {
  readonly store: DashboardStore;
  /** Score from which each AU counts as active (12 values, 0…1). */
  readonly thresholds: ArrayLike<number>;
  /** Adds and removes cameras for the page. */
  readonly cameras: CameraControl;
  /** Decides who may see the page and change the cameras. */
  readonly access: Access;
}

/** Serves the live page (`/`, `/assets`, `/login`), its events, camera changes and, if allowed, crops of faces. */
export async function serveDashboard(server: FastifyInstance, options: DashboardServices): Promise<void> {
  const { store, cameras, access } = options;
  const assets = await loadAssets();
  const streams = new EventStreams(store);
  server.addHook('preClose', async () => streams.close());

  server.register(async (routes) => {
    guardRoutes(routes, access);
    // The built files hold no data, and the sign-in form needs its style.
    routes.get('/assets/*', { config: { role: 'public' } }, (request, reply) =>
      sendAsset(reply, assets.get(request.url.slice(1))),
    );
    serveSignIn(routes, access, {
      sendPage: (reply) => sendAsset(reply, assets.get('index.html')),
      sendSignInForm: (reply) => sendAsset(reply, assets.get('login.html')),
    });
    routes.get('/events', { config: { role: 'view' } }, (request, reply) => {
      const { person, session } = request.grant!;
      const hello: Hello = {
        type: 'hello',
        now: wallMs(),
        actionUnits: ACTION_UNITS,
        thresholds: Array.from(options.thresholds),
        showVideo: store.showVideo,
        historySeconds: HISTORY_SECONDS,
        person: { name: person.name, role: person.role, canSignOut: session !== null },
      };
      return streams.open(request, reply, hello, () => {
        if (session) access.sessions.touch(session);
      });
    });
    serveCameraRoutes(routes, cameras);
    routes.get('/pictures/*', { config: { role: 'view' } }, (request, reply) => {
      const key = (request.params as { '*': string })['*'];
      const crop = maySee(personOf(request), key.split('/')[0]!) ? store.crop(key) : undefined;
      if (!crop) return reply.code(404).send();
      return reply.type('application/octet-stream').send(Buffer.from(crop));
    });
  });
}

function sendAsset(reply: FastifyReply, asset: Asset | undefined): FastifyReply {
  if (!asset) return reply.code(404).send();
  return reply.type(asset.type).send(asset.body);
}
