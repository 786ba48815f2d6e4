import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { configSchema } from '../../src/config/schema.ts';
import { consume } from '../../src/consume/index.ts';
import { LOSS_CAUSES } from '../../src/domain/loss-cause.ts';
import { ERROR_CODES } from '../../src/errors.ts';
import { DELIVERY_ERRORS } from '../../src/kafka/delivery-policy.ts';
import { HEADER_HOLDS } from '../../src/records/schema-ids.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { type Block, blocksOf } from './blocks.ts';

const PAGES = readdirSync('docs').filter((name) => name.endsWith('.md'));

test('troubleshooting.md lists every error code', () => {
  const rows = readFileSync('docs/troubleshooting.md', 'utf8').matchAll(/^\| `([A-Z_]+)` \|/gm);
  expect(Array.from(rows, ([, code]) => code).sort()).toEqual(Object.keys(ERROR_CODES).sort());
});

test('troubleshooting.md lists every cause of a loss', () => {
  const rows = readFileSync('docs/troubleshooting.md', 'utf8').matchAll(/^\| `([a-z_]+)` \|.*\|.*\|$/gm);
  expect(Array.from(rows, ([, cause]) => cause).sort()).toEqual(Object.keys(LOSS_CAUSES).sort());
});

test('delivery.md has every error of the delivery policy with its verdict', () => {
  const rows = readFileSync('docs/delivery.md', 'utf8').matchAll(
    /^\| `([^`]+)` \| `(retry|hold|split)` \|/gm,
  );
  expect(Object.fromEntries(Array.from(rows, ([, error, verdict]) => [error, verdict]))).toEqual(
    DELIVERY_ERRORS,
  );
});

test('delivery.md has every cause of a loss that nobody asked for and no load explains', () => {
  const page = readFileSync('docs/delivery.md', 'utf8');
  for (const [cause, kind] of Object.entries(LOSS_CAUSES))
    if (kind === 'lost') expect(page).toContain(`\`${cause}\``);
});

test.each([
  'An event that was scored arrives on its topic, or you are told.',
  'The events of one face arrive in order.',
])('the promise of README is that of delivery.md and of the tests that it names: %s', (promise) => {
  const onOneLine = (path: string) => readFileSync(path, 'utf8').replaceAll(/\s+(\/\/ )?/g, ' ');
  expect(onOneLine('README.md')).toContain(promise);
  const page = onOneLine('docs/delivery.md');
  expect(page).toContain(`**${promise}**`);
  const tests = ['test/e2e/kafka-outage.test.ts', 'test/publish/rows.long.test.ts'];
  for (const path of tests) {
    expect(page).toContain(`\`${path}\``);
    expect(onOneLine(path)).toContain(promise);
  }
});

test('delivery.md and troubleshooting.md have every cause of a hold by the registry', () => {
  for (const page of ['docs/delivery.md', 'docs/troubleshooting.md'])
    for (const cause of HEADER_HOLDS) expect(readFileSync(page, 'utf8'), page).toContain(`| \`${cause}\` |`);
});

describe.each(PAGES)('%s', (page) => {
  test('relative links lead to existing files', () => {
    for (const [, target] of readFileSync(join('docs', page), 'utf8').matchAll(/\]\(([^)#]+)\)/g))
      expect(existsSync(join('docs', target!)), target).toBe(true);
  });

  test('configs are valid', () => {
    for (const { text, line } of blocksOf(join('docs', page)).filter(({ language }) => language === 'yaml')) {
      const config = {
        kafka: { embedded: true },
        ...parse(text.replaceAll(/\$\{\w+\}/g, 'a-secret-of-16-letters')),
      };
      expect(configSchema.safeParse(config).error, `${page}:${line}`).toBeUndefined();
    }
  });
});

/**
 * `until_event` stops a command as soon as it has printed an event of a face, as text or as JSON, instead of after a
 * duration. `until_success` retries a command whose timeouts a busy machine may exceed.
 */
const HELPERS = `
until_event() {
  local log pid
  log=$(mktemp)
  "$@" >"$log" &
  pid=$!
  until grep -qE '"type":"frame"|lobby/[0-9]' "$log"; do
    kill -0 "$pid"
    sleep 0.1
  done
  kill -TERM "$pid"
  wait "$pid"
  cat "$log"
}
until_success() {
  local attempt
  for attempt in {1..9}; do "$@" && return; done
  "$@"
}
`;

/** Runs every sh block; one simulated camera and one embedded broker replace the addresses in the pages. */
describe('commands run as written', () => {
  const folder = mkdtempSync(join(tmpdir(), 'austream-docs-'));
  let camera: Simulator;
  let austream: ChildProcess;
  let brokers: string;

  beforeAll(async () => {
    // Two seconds of the demo clip keep the commands short.
    const cut = 'qtdemux ! h264parse ! identity eos-after=50 ! mp4mux ! filesink';
    await promisify(execFile)('bash', [
      '-c',
      `gst-launch-1.0 -q filesrc location=models/demo/clip.mp4 ! ${cut} location=${join(folder, 'clip.mp4')}`,
    ]);
    camera = await Simulator.start({ sources: ['models/demo/clip.mp4'] });
    // A low frame rate leaves CPU time to the commands.
    const config = {
      cameras: [{ id: 'lobby', url: camera.urls[0], analysisFps: 5 }],
      kafka: { embedded: true },
      infer: { hop: 4 },
    };
    writeFileSync(join(folder, 'broker.yaml'), JSON.stringify(config));
    austream = spawn('bin/austream', ['run', '-c', join(folder, 'broker.yaml'), '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    austream.stdout!.resume();
    brokers = await new Promise((resolve, reject) => {
      austream.once('exit', () => reject(new Error('austream run ended')));
      createInterface({ input: austream.stderr! }).on('line', (line) => {
        const { brokers } = JSON.parse(line) as { brokers?: string };
        if (brokers) resolve(brokers);
      });
    });
    // The commands need events to read.
    for await (const _ of consume({
      brokers: [brokers],
      topics: ['au.frames'],
      groupId: 'docs',
      fromBeginning: true,
    }))
      break;
  });
  afterAll(async () => {
    austream.kill('SIGTERM');
    await once(austream, 'exit');
    await camera.stop();
    rmSync(folder, { recursive: true });
  });

  /** A working directory per page, with `bin` and the files that the pages name: their outputs have the same names. */
  function workingDirectory(page: string): string {
    const cwd = join(folder, page);
    mkdirSync(cwd);
    symlinkSync(resolve('bin'), join(cwd, 'bin'));
    copyFileSync(join(folder, 'clip.mp4'), join(cwd, 'clip.mp4'));
    const [config] = blocksOf('docs/cameras.md').filter(({ text }) => text.startsWith('# austream.yaml'));
    writeFileSync(join(cwd, 'austream.yaml'), replaceAddresses(config!.text));
    return cwd;
  }

  /** Replaces the example addresses by those of the simulated camera and of the broker. */
  function replaceAddresses(text: string): string {
    return text
      .replaceAll(/rtsp:\/\/192\.0\.2\.10\/stream\d/g, camera.urls[0]!)
      .replaceAll('localhost:9092', brokers)
      .replaceAll('http://localhost:4318', 'http://127.0.0.1:9');
  }

  /** Replaces durations by states: `tail` ends with the first event, the other commands once they have started. */
  function withoutWaits(script: string): string {
    return script
      .replaceAll(/(\S*austream tail .*?) --duration \d+s/g, 'until_event $1')
      .replaceAll(/(\S*austream doctor)/g, 'until_success $1')
      .replaceAll(/--duration \d+s/g, '--duration 1s')
      .replace(/(OTEL_.*austream run .*)$/m, '$1 --duration 1s')
      .replace(/model bench.*/, 'model bench --help');
  }

  /** Runs a page's blocks, which build on each other. Rejects with the line of the block that fails and its errors. */
  async function runBlocks(page: string, blocks: readonly Block[]): Promise<void> {
    const cwd = workingDirectory(page);
    const env = {
      ...process.env,
      PATH: `${resolve('bin')}:${process.env.PATH}`,
      LOBBY_PASSWORD: 'unused',
      AUSTREAM_TOKEN: 'sixteen-letters-at-least',
    };
    for (const { text, line } of blocks) {
      const script = HELPERS + withoutWaits(replaceAddresses(text));
      const options = { cwd, env, maxBuffer: 1 << 28 };
      await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], options).catch(
        (error: { stderr: string }) => expect.fail(`docs/${page}:${line}\n${error.stderr}`),
      );
    }
  }

  // The commands mostly wait for cameras and brokers, so all pages run at the same time.
  test.concurrent.each(PAGES)(
    '%s',
    (page) =>
      runBlocks(
        page,
        blocksOf(join('docs', page)).filter(({ language }) => language === 'sh'),
      ),
    300_000,
  );

  test.concurrent('the program of consuming.md prints an active Action Unit', async () => {
    const [block] = blocksOf('docs/consuming.md').filter(({ language }) => language === 'ts');
    // Inside the package, so that `austream/consumer` resolves.
    const program = resolve('dist/docs-test/consumer.ts');
    mkdirSync(dirname(program), { recursive: true });
    writeFileSync(program, replaceAddresses(block!.text));
    const consumer = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: consumer.stdout! }), 'line')) as [string];
    consumer.kill('SIGKILL');
    await once(consumer, 'exit');
    rmSync(dirname(program), { recursive: true });
    expect(line).toMatch(/^face \d+ of lobby: lip corners pulled, \d\.\d\d$/);
  }, 60_000);
});
