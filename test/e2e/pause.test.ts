import { execFile as execFileCallback } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { Simulator } from '../../src/simulate/simulator.ts';
import { KafkaBroker } from '../broker/kafka-broker.ts';
import { Austream, DEMO_CLIP, descendantsOf, type JsonLine, ROOT, Scratch } from './austream.ts';

const execFile = promisify(execFileCallback);

let simulator: Simulator;
let broker: KafkaBroker;
beforeAll(async () => {
  [simulator, broker] = await Promise.all([
    Simulator.start({ sources: [DEMO_CLIP], cameras: 1, fps: 15 }),
    KafkaBroker.start(),
  ]);
});
afterAll(() => Promise.all([simulator?.stop(), broker?.stop()]));

async function cameras(env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const { stdout } = await execFile(join(ROOT, 'bin/austream'), ['cameras', ...args], {
    env: { ...process.env, ...env },
  });
  return stdout;
}

const isPaused = (line: JsonLine) => line.type === 'camera' && line.state === 'PAUSED';
const framesOf = (lines: readonly JsonLine[]) => lines.filter((line) => line.type === 'frame');

it('the command pauses a camera of austream run: it disconnects, gives no further event, says so on au.cameras, and outlasts a change of the config', async () => {
  using scratch = new Scratch();
  const env = { XDG_RUNTIME_DIR: scratch.path };
  const kafka = { brokers: [broker.address], topicPrefix: 'pause.' };
  const config = (more: object = {}) => ({
    cameras: [{ id: 'a', url: simulator.urls[0], ...more }],
    kafka,
    ingest: { maxClockErrorSeconds: 0, statusSeconds: 1 },
  });
  const file = scratch.file('austream.yaml', config());
  await using run = new Austream(['run', '-c', file, '--json'], env);
  await run.untilLine((line) => line.type === 'frame');
  const processes = (await descendantsOf(run.process.pid!)).length;

  expect(await cameras(env, 'pause', 'a')).toContain('a: paused until it is resumed or austream restarts');
  expect((await descendantsOf(run.process.pid!)).length).toBe(processes - 1);
  const paused = await run.untilLine(isPaused);
  expect(paused).toMatchObject({ cause: 'operator', fps: null });
  expect(paused.detail).toContain('paused by an operator through the control socket');
  const published = framesOf(run.lines).length;
  // The status is repeated, with what the pause left unscored.
  const counted = await run.untilLine(
    (line) => isPaused(line) && line.at > paused.at && line.drops.paused > 0,
  );
  expect(framesOf(run.lines).length).toBe(published);

  writeFileSync(join(scratch.path, 'next'), stringify(config({ analysisFps: 10 })));
  renameSync(join(scratch.path, 'next'), file);
  await run.untilLine((line) => isPaused(line) && line.at > counted.at && line.previous === null);
  expect(framesOf(run.lines).length).toBe(published);
  await using tail = new Austream([
    'tail',
    '--brokers',
    broker.address,
    '--topic-prefix',
    'pause.',
    '--from-beginning',
    '--json',
  ]);
  const newest = await tail.untilLine((line) => isPaused(line) && line.at > counted.at);
  expect(newest).toMatchObject({ cameraId: 'a', cause: 'operator' });

  await expect(cameras(env, 'pause', 'a', 'nobody')).rejects.toThrow(/there is no camera nobody/);
  expect(await cameras(env, 'resume', 'a')).toContain('a: resumed');
  const again = await run.untilLine((line) => line.type === 'frame' && line.captureTime > newest.at);
  expect(again.epoch).toBeGreaterThan(framesOf(run.lines)[0]!.epoch);
});

it('the camera topic pauses a camera of a cluster, whichever worker runs it', async () => {
  using scratch = new Scratch();
  const env = { XDG_RUNTIME_DIR: scratch.path };
  const file = scratch.file('ingest.yaml', {
    kafka: { brokers: [broker.address], topicPrefix: 'topic.' },
    cluster: { cameras: 'topic', sources: { networks: ['127.0.0.0/8'] } },
    ingest: { statusSeconds: 1 },
  });
  const target = ['--brokers', broker.address, '--prefix', 'topic.'];
  await using worker = new Austream(['ingest', '-c', file, '--json'], env);
  await worker.untilLogged('"msg":"running');
  await cameras(env, 'add', 'a', '--url', simulator.urls[0]!, ...target);
  await worker.untilLine((line) => line.type === 'camera' && line.state === 'LIVE');

  expect(await cameras(env, 'pause', 'a', ...target)).toContain('a: paused until it is resumed');
  const paused = await worker.untilLine(isPaused);
  expect(paused.detail).toContain('paused by an operator through its configuration');
  expect(await descendantsOf(worker.process.pid!)).toEqual([]);
  expect(await cameras(env, 'list', ...target)).toContain('paused');

  // It stays paused when the worker is replaced.
  worker.signal('SIGTERM');
  await worker.exited;
  await using successor = new Austream(['ingest', '-c', file, '--json'], env);
  expect(await successor.untilLine((line) => line.type === 'camera')).toMatchObject({ state: 'PAUSED' });
  expect(await cameras(env, 'resume', 'a', ...target)).toContain('a: resumed');
  await successor.untilLine((line) => line.type === 'camera' && line.state === 'LIVE');
});
