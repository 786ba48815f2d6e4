import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Recorder } from '../recorder.ts';

test('a live camera waits for no inference: not with its next epoch, nor to be told of and tried again when it died', async ({
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

test('a host that may open no further file goes on without its camera, and says why', async () => {
  const path = fileURLToPath(new URL('../children/out-of-files.ts', import.meta.url));
  // Node raises its limit of open files to the hard one; the shell sets both.
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
