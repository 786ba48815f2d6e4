import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTopic } from '../broker/read-topic.ts';
import { picturesIn } from './pictures.ts';
import { Product, SECRETS } from './product.ts';
import { filesBelow, type Trace, type TracedAustream } from './traced.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-product-'));
const product = new Product(folder);
const traces = new Map<string, Trace>();
/** The files that were written and are still there; each content once, though every command has its own caches. */
let files: ReadonlyMap<string, Buffer>;

beforeAll(async () => {
  await product.startPeers();
  const { addresses, path } = { addresses: product.addresses, path: (name: string) => product.path(name) };
  const httpPort = await product.freePort();
  const [runConfig, workerConfig] = [product.runConfig(httpPort), product.workerConfig()];
  const deviceConfig = product.deviceConfig();
  const frames = (command: TracedAustream) => command.lines.filter(({ type }) => type === 'frame');

  const run = product.start('run', 'run', '-c', runConfig, '--json', '--dashboard', '--show-video');
  await run.until(() => frames(run).length >= 30);
  await product.keepProcesses('run');
  await keepHttp(`http://127.0.0.1:${httpPort}`, frames(run));
  const socket = ['--socket', path('run.sock')];
  await Promise.all([
    product.run('cameras list', ['cameras', 'list', ...socket, '--json']),
    product.run('cameras add', [
      'cameras',
      'add',
      'clip',
      '--url',
      `rtsp://${addresses.camera}/cam1`,
      ...socket,
    ]),
    product.run('tail', [
      'tail',
      '--brokers',
      addresses.broker,
      '--from-beginning',
      '--duration',
      '2s',
      '--json',
    ]),
  ]);
  await Promise.all([
    product.run('cameras remove', ['cameras', 'remove', 'clip', ...socket]),
    product.run('dashboard', ['dashboard', ...socket]),
    product.run('topics', ['topics', 'create', '-c', workerConfig, '--crops']),
  ]);
  // What the brokers do not take waits in the spool.
  await product.broker!.kill9();
  await run.until(() => spoolBytes() > 1_000);
  await run.stop();
  await product.broker!.restart();

  const ingest = product.start('ingest', 'ingest', '-c', workerConfig, '--json');
  const infer = product.start('infer', 'infer', '-c', workerConfig, '--json');
  await infer.until(() => frames(infer).length >= 10);
  await Promise.all([product.keepProcesses('ingest'), product.keepProcesses('infer')]);
  await Promise.all([ingest.stop(), infer.stop()]);
  for (const topic of ['au.frames', 'au.cameras', 'c.cameras', 'c.frames'])
    product.outputs.set(
      `topic ${topic}`,
      Buffer.concat(
        (await readTopic([addresses.broker], topic)).map(({ value }) => value ?? Buffer.alloc(0)),
      ),
    );

  writeFileSync(path('events.ndjson'), run.stdout);
  const report = [
    'report',
    '--from',
    path('events.ndjson'),
    '--out',
    path('report.html'),
    '--plots',
    path('plots'),
  ];
  await Promise.all([
    product.run('score', ['score', product.clip(), '--out', path('scores.csv')]),
    product.run('doctor', ['doctor', '-c', deviceConfig, '--json'], 1),
    product.run('check', ['check', '-c', deviceConfig]),
    product.run('report', [...report, '--camera', 'lobby', '--openface', path('table.csv')]),
    product.run('discover', ['cameras', 'discover', '--interface', 'lo', '--timeout', '1s']),
  ]);
  await Promise.all([
    product.run('model info', ['model', 'info']),
    product.run('model verify', ['model', 'verify']),
    product.run('completion', ['completion', 'bash']),
    product.run('help', ['--help']),
    product.run('demo', ['demo', '--duration', '4s']),
  ]);
  for (const [name, config] of Object.entries(product.refusedConfigs()))
    await Promise.all([
      product.run(`refused: ${name}, run`, ['run', '-c', config], null),
      product.run(
        `refused: ${name}, topics`,
        ['topics', 'describe', '-c', config],
        name === 'registry' ? 0 : null,
      ),
    ]);
  await product.commands.get('simulate')!.stop();
  for (const [name, command] of product.commands) traces.set(name, command.trace);
  files = writtenFiles();
}, 600_000);

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  if (process.env.KEEP) console.log(folder);
  else rmSync(folder, { recursive: true, force: true });
});

function spoolBytes(): number {
  const spool = product.path('spool');
  return filesBelow(spool).reduce(
    (sum, name) => sum + (statSync(join(spool, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

/** Keeps what the HTTP server says, to those who may ask and to those who may not. */
async function keepHttp(origin: string, frames: readonly Record<string, unknown>[]): Promise<void> {
  const right = { authorization: `Bearer ${SECRETS['http.token']}` };
  for (const headers of [right, { authorization: 'Bearer wrong' }])
    for (const route of ['/', '/metrics', '/healthz', '/readyz', '/cameras', '/missing']) {
      const response = await fetch(`${origin}${route}`, { headers });
      product.outputs.set(
        `${route} as ${headers.authorization === right.authorization ? 'operator' : 'stranger'}`,
        Buffer.from(await response.arrayBuffer()),
      );
    }
  const aborted = new AbortController();
  const events = await fetch(`${origin}/events`, { headers: right, signal: aborted.signal });
  expect(events.status).toBe(200);
  const reader = events.body!.getReader();
  const chunks: Uint8Array[] = [];
  while (Buffer.concat(chunks).length < 20_000) chunks.push((await reader.read()).value!);
  aborted.abort();
  product.outputs.set('/events', Buffer.concat(chunks));
  const keys = new Set(frames.map(({ cameraId, epoch, trackId }) => `${cameraId}/${epoch}/${trackId}`));
  for (const key of keys) {
    const picture = await fetch(`${origin}/pictures/${encodeURIComponent(key)}`, { headers: right });
    if (picture.ok) product.crops.push(Buffer.from(await picture.arrayBuffer()));
  }
}

describe('the network', () => {
  const a = product.addresses;
  /** Where each command may connect: what its config or its arguments name, and its own sockets. */
  const ALLOWED: Record<string, () => string[]> = {
    run: () => [a.camera, a.device, a.broker, a.otlp, product.path('run.sock')],
    ingest: () => [a.camera, a.broker, ...local(a.sasl)],
    infer: () => [a.broker, ...local(a.sasl)],
    tail: () => [a.broker],
    'cameras list': () => [product.path('run.sock')],
    'cameras add': () => [product.path('run.sock')],
    'cameras remove': () => [product.path('run.sock')],
    dashboard: () => [product.path('run.sock')],
    topics: () => [a.broker, ...local(a.sasl)],
    doctor: () => [a.device, a.camera, '127.0.0.1:9', a.broker, ...local(a.sasl)],
    // WS-Discovery's multicast address: the command asks the network for cameras.
    discover: () => ['239.255.255.250:3702', a.device],
    'refused: registry, run': () => [a.broker, a.echo],
    'refused: registry, topics': () => [a.broker],
    'refused: sasl, run': () => local(a.sasl),
    'refused: sasl, topics': () => local(a.sasl),
    'refused: oauth, run': () => [...local(a.sasl), a.echo],
    'refused: oauth, topics': () => [...local(a.sasl), a.echo],
    'refused: tls, run': () => local(a.sasl),
    'refused: tls, topics': () => local(a.sasl),
  };
  /** glibc asks its own cache for names of users and services before it reads /etc. */
  const NAME_CACHE = '/var/run/nscd/socket';

  test('no command connects or sends to anything that its config does not name', () => {
    const unexpected = [...traces].flatMap(([name, { destinations, own }]) => {
      const allowed = [...(ALLOWED[name]?.() ?? []), ...own, NAME_CACHE];
      return destinations
        .filter((address) => !allowed.includes(address))
        .map((address) => `${name}: ${address}`);
    });
    expect(unexpected).toEqual([]);
    // The traces are complete: they have what must be there.
    expect(traces.get('run')!.destinations).toEqual(
      expect.arrayContaining([a.camera, a.device, a.broker, a.otlp]),
    );
    expect(traces.get('discover')!.destinations).toContain('239.255.255.250:3702');
  });

  test('every command is covered', () => {
    const completion = product.commands.get('completion')!.stdout;
    const names = [...new Set([...traces.keys()].map((name) => name.split(' ')[0]!))];
    for (const name of names.filter((each) => !['refused:', 'discover'].includes(each)))
      expect(completion).toContain(name);
    const listed = /^Commands:$([\s\S]*)/m.exec(product.commands.get('help')!.stdout)![1]!;
    const commands = [...listed.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name!);
    expect(commands.filter((name) => !names.includes(name))).toEqual([]);
  });

  test('OpenTelemetry is loaded only where the config serves HTTP or OTEL_* variables name a receiver', () => {
    const loads = [...traces].filter(([, { read }]) =>
      [...read].some((file) => file.includes('/@opentelemetry/sdk')),
    );
    // The demo serves the live page.
    expect(loads.map(([name]) => name).sort()).toEqual(['demo', 'run']);
  });

  test('no command reads what identifies this machine', () => {
    const readers = [...traces].filter(([, { read }]) =>
      [...read].some((file) => /\/(machine-id|product_uuid|boot_id)$/.test(file)),
    );
    expect(readers.map(([name]) => name)).toEqual([]);
  });
});

describe('files', () => {
  /** Caches in the user's folder, named in docs/metrics.md: ONNX graphs of the model; GStreamer's list of plugins. */
  const CACHES =
    /^\.cache\/(austream\/graphs\/\w+\/(frame|window-\d+)\.(onnx|bin)|gstreamer-1\.0\/registry\.\w+\.bin)$/;
  /** Written and removed or renamed at once; orcexec: code that GStreamer's ORC compiles, never data. */
  const TRANSIENT = /(\/new-\w+\/[\w.-]+|registry\.\w+\.bin\.tmp\w+|\/orcexec\.\w+|\.new|\.tmp)$/;

  test('the home folder holds nothing but two caches, the working folder nothing at all', () => {
    for (const [name, { home }] of product.commands) {
      expect(
        filesBelow(home).filter((file) => !CACHES.test(file)),
        name,
      ).toEqual([]);
      expect(filesBelow(join(home, '../cwd')), name).toEqual([]);
      expect(filesBelow(join(home, '../tmp')), name).toEqual([]);
    }
  });

  test('no file is written outside the folders of the test, and none that was written contains a picture', () => {
    expect(product.crops.length).toBeGreaterThan(0);
    const written = [...new Set([...traces.values()].flatMap((trace) => [...trace.written]))];
    expect(written.filter((file) => !file.startsWith(`${folder}/`) && !isDevice(file))).toEqual([]);
    const gone = written.filter((file) => !isDevice(file) && !existsSync(file));
    expect(gone.filter((file) => !TRANSIENT.test(file))).toEqual([]);
    const scanned = [...files].filter(([, bytes]) => bytes.length > 1_000).map(([file]) => file);
    for (const name of ['spool/', 'scores.csv', 'table.csv', 'report.html', 'plots/'])
      expect(scanned, name).toContainEqual(expect.stringContaining(product.path(name)));
    // The plots of `report` are PNG files of curves.
    const found = [...files].flatMap(([file, bytes]) =>
      picturesIn(bytes, product.crops)
        .filter((kind) => !(kind === 'PNG' && file.startsWith(product.path('plots/'))))
        .map((kind) => `${file}: ${kind}`),
    );
    expect(found).toEqual([]);
  });

  test('no output contains a picture: standard output and error, events, metrics, traces, live page', () => {
    const found = outputs().flatMap(([name, bytes]) =>
      picturesIn(bytes, product.crops).map((kind) => `${name}: ${kind}`),
    );
    expect(found).toEqual([]);
  });
});

describe('secrets', () => {
  test('the refused commands came as far as using their secrets', () => {
    const stderr = (name: string) => product.commands.get(`refused: ${name}`)!.stderr;
    expect(stderr('registry, run')).toMatch(/registry/i);
    expect(stderr('sasl, run')).toMatch(/authentication/i);
    expect(stderr('tls, run')).toMatch(/key|decrypt/i);
    for (const name of ['oauth, run', 'oauth, topics'])
      expect(traces.get(`refused: ${name}`)!.destinations).toContain(product.addresses.echo);
  });

  test.each(Object.entries(SECRETS))(
    '%s: is in no output, argument, environment of a child, file or topic',
    (_, secret) => {
      const found = [...outputs(), ...files].filter(([, bytes]) =>
        spellings(secret).some((each) => bytes.includes(each)),
      );
      expect(found.map(([name]) => name)).toEqual([]);
    },
  );
});

/** All output by name. `simulate` is left out of the arguments: there the password is an argument. */
function outputs(): [string, Buffer][] {
  const printed = [...product.commands].flatMap(([name, { stdout, stderr }]): [string, Buffer][] => [
    [`${name}: stdout`, Buffer.from(stdout)],
    [`${name}: stderr`, Buffer.from(stderr)],
  ]);
  return [...printed, ...product.outputs];
}

function writtenFiles(): Map<string, Buffer> {
  const byContent = new Map<string, [string, Buffer]>();
  for (const file of new Set([...traces.values()].flatMap((trace) => [...trace.written])))
    if (!isDevice(file) && existsSync(file)) {
      const bytes = readFileSync(file);
      byContent.set(createHash('sha256').update(bytes).digest('hex'), [file, bytes]);
    }
  return new Map(byContent.values());
}

function isDevice(file: string): boolean {
  return /^\/(dev\/null|proc\/)/.test(file);
}

function spellings(secret: string): (string | Buffer)[] {
  const users = ['', 'viewer:', 'austream:'];
  return [
    ...[
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
      Buffer.from(secret, 'latin1'),
    ],
    ...users.map((user) =>
      Buffer.from(user + secret)
        .toString('base64')
        .replace(/=+$/, '')
        .slice(0, -1),
    ),
    Buffer.from(secret).toString('hex'),
  ];
}

/** A broker that is advertised as `localhost`, by address. */
function local(address: string): string[] {
  const port = address.split(':').at(-1);
  return [`127.0.0.1:${port}`, `[::1]:${port}`];
}
