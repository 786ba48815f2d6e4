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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { configSchema } from '../../src/config/schema.ts';
import { ERROR_CODES } from '../../src/errors.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { type Block, blocksOf } from './blocks.ts';

const PAGES = readdirSync('docs').filter((name) => name.endsWith('.md'));

test('every way to fail is in troubleshooting.md', () => {
  const rows = readFileSync('docs/troubleshooting.md', 'utf8').matchAll(/^\| `([A-Z_]+)` \|/gm);
  expect(Array.from(rows, ([, code]) => code).sort()).toEqual(Object.keys(ERROR_CODES).sort());
});

describe.each(PAGES)('%s', (page) => {
  test('links lead somewhere', () => {
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

/** One camera and one broker stand for those that the pages name. */
describe('commands run as they are', () => {
  const folder = mkdtempSync(join(tmpdir(), 'austream-docs-'));
  let camera: Simulator;
  let austream: ChildProcess;
  let brokers: string;

  beforeAll(async () => {
    // Two seconds of the demo's clip: what a page does with a clip is done soon.
    const cut = 'qtdemux ! h264parse ! identity eos-after=50 ! mp4mux ! filesink';
    await promisify(execFile)('bash', [
      '-c',
      `gst-launch-1.0 -q filesrc location=models/demo/clip.mp4 ! ${cut} location=${join(folder, 'clip.mp4')}`,
    ]);
    camera = await Simulator.start({ sources: ['models/demo/clip.mp4'] });
    // Few frames: the commands need the processor.
    const config = {
      cameras: [{ id: 'lobby', url: camera.urls[0], analysisFps: 5 }],
      kafka: { embedded: true },
      infer: { hop: 4 },
    };
    writeFileSync(join(folder, 'broker.yaml'), JSON.stringify(config));
    austream = spawn('bin/austream', ['run', '-c', join(folder, 'broker.yaml'), '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // From then on there is something to read.
    const scored = new Promise<void>((resolve) => {
      createInterface({ input: austream.stdout! }).on('line', (line) => {
        if (line.startsWith('{"type":"frame"')) resolve();
      });
    });
    brokers = await new Promise((found, failed) => {
      austream.once('exit', () => failed(new Error('austream run ended')));
      createInterface({ input: austream.stderr! }).on('line', (line) => {
        const { brokers } = JSON.parse(line) as { brokers?: string };
        if (brokers) found(brokers);
      });
    });
    await scored;
  });
  afterAll(async () => {
    austream.kill('SIGTERM');
    await once(austream, 'exit');
    await camera.stop();
    rmSync(folder, { recursive: true });
  });

  /** Pages write files of the same names: each gets a place of its own, with the config and the clip that they name. */
  function placeOf(page: string): string {
    const place = join(folder, page);
    mkdirSync(place);
    copyFileSync(join(folder, 'clip.mp4'), join(place, 'clip.mp4'));
    const [own] = blocksOf('docs/cameras.md').filter(({ text }) => text.startsWith('# austream.yaml'));
    writeFileSync(join(place, 'austream.yaml'), standIns(own!.text));
    return place;
  }

  /** What a page names as an example, replaced by what is there. */
  function standIns(text: string): string {
    return text
      .replaceAll(/rtsp:\/\/192\.0\.2\.10\/stream\d/g, camera.urls[0]!)
      .replaceAll('localhost:9092', brokers)
      .replaceAll('http://localhost:4318', 'http://127.0.0.1:9');
  }

  /** The same command, for so long; with what a broker takes to let a consumer in where it is one. */
  function lasting(seconds: number, script: string): string {
    return script
      .replaceAll(/(austream tail .*)--duration \d+s/g, `$1--duration=${seconds + 4}s`)
      .replaceAll(/--duration \d+s/g, `--duration ${seconds}s`)
      .replace(/(OTEL_.* austream run .*)$/m, `$1 --duration ${seconds}s`)
      .replace(/model bench.*/, 'model bench --help');
  }

  /** Runs a page's blocks, which build on each other; gives the line of the first that fails, and what it said. */
  async function firstProblem(blocks: readonly Block[], seconds: number, place: string) {
    const env = {
      ...process.env,
      PATH: `${resolve('bin')}:${process.env.PATH}`,
      LOBBY_PASSWORD: 'unused',
      AUSTREAM_TOKEN: 'sixteen-letters-at-least',
    };
    for (const { text, line } of blocks) {
      const script = lasting(seconds, standIns(text));
      const options = { cwd: place, env, maxBuffer: 1 << 28 };
      const problem = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], options).then(
        () => null,
        (error: { stderr: string }) => `${line}\n${error.stderr}`,
      );
      if (problem !== null) return problem;
    }
    return null;
  }

  // Mostly they wait, for cameras and brokers: side by side that takes no longer than one of them.
  test.concurrent.each(PAGES)(
    '%s',
    async (page) => {
      const blocks = blocksOf(join('docs', page)).filter(({ language }) => language === 'sh');
      const place = placeOf(page);
      // What takes a moment takes many on a machine that is busy: then again, for longer.
      for (const seconds of [1, 5, 20, 60]) {
        const problem = await firstProblem(blocks, seconds, place);
        if (problem === null) return;
        if (seconds === 60) expect.fail(`docs/${page}:${problem}`);
      }
    },
    300_000,
  );

  test.concurrent('the consumer of consuming.md prints what a face does', async () => {
    const [block] = blocksOf('docs/consuming.md').filter(({ language }) => language === 'ts');
    // Within the package, so that its own name resolves.
    const program = resolve('dist/docs-test/consumer.ts');
    mkdirSync(dirname(program), { recursive: true });
    writeFileSync(program, standIns(block!.text));
    const consumer = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: consumer.stdout! }), 'line')) as [string];
    consumer.kill('SIGKILL');
    await once(consumer, 'exit');
    rmSync(dirname(program), { recursive: true });
    expect(line).toMatch(/^face \d+ of lobby: lip corners pulled, \d\.\d\d$/);
  }, 60_000);
});
