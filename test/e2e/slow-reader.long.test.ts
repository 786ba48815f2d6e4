import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher, type Publisher } from '../../src/publish/publisher.ts';
import { generatedFrame } from '../dashboard/generated.ts';
import { DEMO_CLIP, type JsonLine, ROOT, Scratch } from './austream.ts';

/** About 1.6 kB each as JSON: far more than what is kept for a reader. */
const EVENTS = 40_000;
const READER_SLEEPS_MS = 45_000;

let publisher: Publisher;
beforeAll(async () => {
  publisher = await openPublisher(kafkaOptions.parse({ embedded: true }), {
    acknowledged: () => {},
    dropped: () => {},
  });
});
afterAll(() => publisher.close());

let published = 0;
async function publish(): Promise<void> {
  for (const end = published + EVENTS; published < end; ) {
    const receivedAt = 1.7e15 + published * 40_000;
    const frames = Array.from({ length: 500 }, (_, index) =>
      generatedFrame({ cameraId: 'lobby', trackId: 1, frame: published + index, receivedAt }),
    );
    publisher.frames(frames);
    published += frames.length;
    await publisher.flush(20_000);
  }
}

/** A command whose output is read from the moment on that `read` is called. */
function unread(args: readonly string[]) {
  const child: ChildProcess = spawn(join(ROOT, 'bin/austream'), args, { cwd: ROOT });
  onTestFinished(() => void child.kill('SIGKILL'));
  let errors = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return {
    child,
    peakMb: () =>
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1_024,
    async read(): Promise<{ lines: JsonLine[]; errors: string; code: number }> {
      const lines: JsonLine[] = [];
      createInterface({ input: child.stdout! }).on('line', (line) => lines.push(JSON.parse(line)));
      const [code] = (await once(child, 'close')) as [number];
      return { lines, errors, code };
    },
  };
}

const tail = (...args: string[]) =>
  unread(['tail', '--brokers', publisher.brokers, '--json', '--duration', '60s', ...args]);
const eventIds = (lines: readonly JsonLine[]) => new Set(lines.map(({ eventId }) => eventId));

test('tail of new events leaves out what its reader does not take, says how many, in bounded memory', async () => {
  const { child, peakMb, read } = tail();
  // The group has to be there first.
  await setTimeout(15_000);
  await publish();
  await setTimeout(10_000);
  expect(peakMb()).toBeLessThan(400);
  expect(child.exitCode).toBeNull();
  const { lines, errors, code } = await read();
  expect(code).toBe(0);
  const [, leftOut] = /^(\d+) lines of the output were left out/m.exec(errors)!;
  expect(Number(leftOut)).toBeGreaterThan(EVENTS / 2);
  expect(eventIds(lines).size).toBe(lines.length);
  expect(lines.length + Number(leftOut)).toBe(EVENTS);
}, 180_000);

test('tail --from-beginning waits for its reader: each event once, in bounded memory', async () => {
  const { peakMb, read } = tail('--from-beginning');
  // Longer than the session of a consumer that does not answer.
  await setTimeout(READER_SLEEPS_MS);
  expect(peakMb()).toBeLessThan(400);
  const { lines, errors, code } = await read();
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(lines).toHaveLength(published);
  expect(eventIds(lines).size).toBe(published);
}, 180_000);

test('run --json of a file waits for its reader', async () => {
  using scratch = new Scratch();
  const config = scratch.file('austream.yaml', {
    cameras: [{ id: 'clip', url: `file://${DEMO_CLIP}` }],
    kafka: { embedded: true },
    control: { socket: null },
  });
  const { child, read } = unread(['run', '-c', config, '--json']);
  await setTimeout(READER_SLEEPS_MS);
  expect(child.exitCode).toBeNull();
  const { lines, code } = await read();
  expect(code).toBe(0);
  const summary = lines.at(-1)!;
  expect(summary).toMatchObject({ type: 'summary', linesLeftOut: 0 });
  expect(lines.filter(({ type }) => type === 'frame')).toHaveLength(summary.events);
}, 180_000);
