import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startSlots } from '../../../src/ingest/host/start-slots.ts';
import { Recorder } from '../recorder.ts';

test('a live camera does not wait for inference: neither its next epoch nor its restart does', async ({
  onTestFinished,
}) => {
  const inference = Promise.withResolvers<void>();
  const camera = new Recorder(
    { url: 'rtsp://127.0.0.1:9/' },
    {},
    { child: 'steady', onEpochEnded: () => inference.promise },
  );
  onTestFinished(() => {
    inference.resolve();
    return camera.supervisor.stop();
  });
  await camera.frames(2);
  process.kill(camera.supervisor.pid!, 'SIGKILL');
  await camera.frames(2);
  expect(camera.states).toEqual(['CONNECTING', 'LIVE', 'RECONNECTING', 'LIVE']);
  expect(camera.endedEpochs).toEqual(camera.epochs.slice(0, 3));
});

test('a host without free file descriptors keeps running and reports why its camera cannot start', async () => {
  const path = fileURLToPath(new URL('../children/out-of-files.ts', import.meta.url));
  // Node raises its soft limit of open files to the hard one; ulimit sets both.
  const host = fork(path, {
    execPath: '/bin/sh',
    execArgv: ['-c', 'ulimit -n 48; exec "$0" "$@"', process.execPath],
  });
  const detail = new Promise((resolve) => host.once('message', resolve));
  const code = new Promise((resolve) => host.once('exit', resolve));
  expect(await Promise.race([detail, code.then((code) => `the host ended with ${code}`)])).toMatch(
    /^the camera process could not be started: spawn .* EMFILE/,
  );
  expect(await code).toBe(0);
});

test('a camera stopped while it waits for a start slot never starts, and its slot goes to the next one', async ({
  onTestFinished,
}) => {
  const releases = await Promise.all(
    Array.from({ length: startSlots.getValue() }, async () => (await startSlots.acquire())[1]),
  );
  const [stopped, next] = ['stopped', 'next'].map(
    (id) => new Recorder({ url: 'rtsp://127.0.0.1:9/', id }, {}, { child: 'steady' }),
  );
  onTestFinished(() => next!.supervisor.stop());
  await stopped!.supervisor.stop();
  expect(stopped!.states).toEqual(['CONNECTING', 'STOPPED']);
  expect(next!.supervisor.phase).toBe('Waiting');
  releases[0]!();
  await next!.frames(1);
  for (const release of releases.slice(1)) release();
  expect(stopped!.states).toEqual(['CONNECTING', 'STOPPED']);
  expect(stopped!.supervisor.pid).toBeUndefined();
  await next!.until('its slot to be released', () => startSlots.getValue() === releases.length);
});
