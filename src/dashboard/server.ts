import type { FastifyInstance, FastifyReply } from 'fastify';
import { ACTION_UNITS } from '../domain/scores.ts';
import type { CameraControl } from '../ingest/host/camera-set.ts';
import type { Access } from './access.ts';
import { type Asset, loadAssets } from './assets.ts';
import { serveCameraRoutes } from './camera-routes.ts';
import type { Hello, Message } from './protocol.ts';
import { type DashboardStore, HISTORY_SECONDS } from './store.ts';

interface DashboardOptions {
  readonly store: DashboardStore;
  /** Score from which each AU counts as active (12 values, 0…1). */
  readonly thresholds: ArrayLike<number>;
  /** Adds and removes cameras for the page. */
  readonly cameras: CameraControl;
  /** Decides who may see the page and change the cameras. */
  readonly access: Access;
}

/** Scores are sent at this interval; changes of a camera's state at once. */
const TICK_MS = 100;
const HEARTBEAT_MS = 15_000;
/** Open event streams, one per page. */
const MAX_PAGES = 32;

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** Serves the live page (`/`, `/assets`, `/login`), its events, camera changes and, if allowed, crops of faces. */
export async function serveDashboard(server: FastifyInstance, options: DashboardOptions): Promise<void> {
  const { store, cameras, access } = options;
  const assets = await loadAssets();
  const login = assets.get('login.html')!.body.toString();
  /** Ends the event stream of each open page. */
  const pages = new Set<() => void>();

  server.addHook('preClose', async () => {
    for (const end of pages) end();
  });
  server.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 4096 },
    (_, body, done) => done(null, Object.fromEntries(new URLSearchParams(body as string))),
  );
  server.addHook('onRequest', async (_, reply) => {
    reply.headers(HEADERS);
  });

  // No guard: the built files hold no data, and the login page needs its style.
  server.get('/assets/*', (request, reply) => sendAsset(reply, assets.get(request.url.slice(1))));
  server.post('/login', (request, reply) =>
    access.logIn((request.body as { token?: unknown } | null)?.token, reply, login),
  );

  server.register(async (guarded) => {
    guarded.addHook('onRequest', async (request, reply) => {
      const { token } = request.query as { token?: unknown };
      if (token !== undefined && request.routeOptions.url === '/') await access.logIn(token, reply, login);
      else await access.guard(request, reply, login);
    });
    guarded.get('/', (_, reply) => sendAsset(reply, assets.get('index.html')));
    guarded.get('/events', (_, reply) => {
      if (pages.size >= MAX_PAGES)
        return reply.code(503).send({ error: `${MAX_PAGES} pages are open already` });
      streamUpdates(reply, store, hello(options), pages);
    });
    serveCameraRoutes(guarded, cameras);
    guarded.get('/pictures/*', (request, reply) => {
      const crop = store.crop((request.params as { '*': string })['*']);
      if (!crop) return reply.code(404).send();
      return reply.type('application/octet-stream').send(Buffer.from(crop));
    });
  });
}

function sendAsset(reply: FastifyReply, asset: Asset | undefined): FastifyReply {
  if (!asset) return reply.code(404).send();
  return reply.type(asset.type).send(asset.body);
}

function hello({ store, thresholds }: DashboardOptions): Hello {
  return {
    type: 'hello',
    actionUnits: ACTION_UNITS,
    thresholds: Array.from(thresholds),
    showVideo: store.showVideo,
    historySeconds: HISTORY_SECONDS,
  };
}

/** Streams updates to one page. Under backpressure nothing is written and nothing is queued. */
function streamUpdates(
  reply: FastifyReply,
  store: DashboardStore,
  first: Hello,
  pages: Set<() => void>,
): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
  const cursor = store.openCursor();
  let lastWrite = performance.now();
  const write = (message: Message) => {
    raw.write(`data: ${JSON.stringify(message)}\n\n`);
    lastWrite = performance.now();
  };
  const writeUpdate = () => {
    if (raw.writableNeedDrain) return;
    const update = cursor.next();
    if (update) write(update);
    else if (performance.now() - lastWrite > HEARTBEAT_MS) {
      raw.write(':\n\n');
      lastWrite = performance.now();
    }
  };
  const timer = setInterval(writeUpdate, TICK_MS);
  const unsubscribe = store.onCameraState(writeUpdate);
  const end = () => {
    clearInterval(timer);
    unsubscribe();
    pages.delete(end);
    raw.end();
  };
  pages.add(end);
  raw.on('close', end);
  write(first);
}
