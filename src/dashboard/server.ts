import type { FastifyInstance, FastifyReply } from 'fastify';
import { ACTION_UNITS } from '../domain/scores.ts';
import type { CameraControl } from '../ingest/host/cameras.ts';
import type { Access } from './access.ts';
import { type Asset, loadAssets } from './assets.ts';
import { serveChanges } from './camera-routes.ts';
import { type DashboardHub, HISTORY_SECONDS } from './store.ts';
import type { Hello, Message } from './protocol.ts';

export interface DashboardOptions {
  readonly hub: DashboardHub;
  /** (12) score from which each AU counts as active. */
  readonly thresholds: ArrayLike<number>;
  /** Cameras come and go through the page. */
  readonly cameras: CameraControl;
  /** Who may see it, and change the cameras. */
  readonly access: Access;
}

const TICK_MS = 100;
const HEARTBEAT_MS = 15_000;
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

/** Serves the live page: `/`, its assets, events and changes, and pictures of faces where they may be shown. */
export async function serveDashboard(server: FastifyInstance, options: DashboardOptions): Promise<void> {
  const { hub, cameras, access } = options;
  const assets = await loadAssets();
  const login = assets.get('login.html')!.body.toString();
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

  // The built files hold no data: the login page needs its style before anybody has logged in.
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
      stream(reply, hub, hello(options), pages);
    });
    serveChanges(guarded, cameras);
    guarded.get('/pictures/*', (request, reply) => {
      const picture = hub.picture((request.params as { '*': string })['*']);
      if (!picture) return reply.code(404).send();
      return reply.type('application/octet-stream').send(Buffer.from(picture));
    });
  });
}

function sendAsset(reply: FastifyReply, asset: Asset | undefined): FastifyReply {
  if (!asset) return reply.code(404).send();
  return reply.type(asset.type).send(asset.body);
}

function hello({ hub, thresholds }: DashboardOptions): Hello {
  return {
    type: 'hello',
    actionUnits: ACTION_UNITS,
    thresholds: Array.from(thresholds),
    showVideo: hub.showVideo,
    historySeconds: HISTORY_SECONDS,
  };
}

/** One page's events. While its connection takes no more, nothing is written and nothing piles up. */
function stream(reply: FastifyReply, hub: DashboardHub, first: Hello, pages: Set<() => void>): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
  const reader = hub.reader();
  let written = performance.now();
  const write = (message: Message) => {
    raw.write(`data: ${JSON.stringify(message)}\n\n`);
    written = performance.now();
  };
  const tell = () => {
    if (raw.writableNeedDrain) return;
    const update = reader.next();
    if (update) write(update);
    else if (performance.now() - written > HEARTBEAT_MS) {
      raw.write(':\n\n');
      written = performance.now();
    }
  };
  // Scores wait for the next tick, a camera's state for nothing.
  const timer = setInterval(tell, TICK_MS);
  const endStates = hub.onState(tell);
  const end = () => {
    clearInterval(timer);
    endStates();
    pages.delete(end);
    raw.end();
  };
  pages.add(end);
  raw.on('close', end);
  write(first);
}
