import { expect, test } from 'vitest';
import { CHECK_MS, Watchdog } from '../../../src/ingest/host/watchdog.ts';

const options = { connectSeconds: 15, stallSeconds: 5, childMemoryMb: 512 };
const MB = 2 ** 20;

/** One of the looks that come every `CHECK_MS`. */
function look(dog: Watchdog, now: number) {
  dog.check(now - CHECK_MS);
  return dog.check(now);
}

test('a camera has its time to connect, then its time between frames', () => {
  const dog = new Watchdog(options, true, 0);
  expect(look(dog, 59_000)).toBeNull();
  dog.opening(59_000);
  for (let now = 60_000; now <= 74_000; now += 500) dog.report(now, 0, MB);
  expect(look(dog, 74_000)).toBeNull();
  dog.report(74_100, 0, MB);
  expect(look(dog, 74_100)).toMatchObject({ code: 'CAMERA_UNREACHABLE' });
  dog.connected();
  expect(look(dog, 74_100)).toMatchObject({ code: 'CAMERA_NO_VIDEO' });
  dog.epoch(74_100);
  dog.report(74_500, 10, MB);
  for (let now = 75_000; now <= 79_000; now += 500) dog.report(now, 10, MB);
  expect(look(dog, 79_400)).toBeNull();
  expect(look(dog, 79_600)).toMatchObject({ code: 'CAMERA_STALLED', message: 'no picture for 5 s' });
  dog.report(79_700, 11, MB);
  expect(look(dog, 79_800)).toBeNull();
});

test('a new epoch counts its frames anew', () => {
  const dog = new Watchdog(options, true, 0);
  dog.epoch(0);
  dog.report(500, 1000, MB);
  dog.epoch(4_000);
  dog.report(4_500, 3, MB);
  expect(look(dog, 9_400)).toBeNull();
  expect(look(dog, 9_600)).toMatchObject({ code: 'CAMERA_STALLED' });
});

test('a child that does not answer, or does not even start, hangs', () => {
  const starting = new Watchdog(options, true, 0);
  expect(look(starting, 61_000)).toMatchObject({ code: 'CAMERA_PROCESS_DIED' });
  const file = new Watchdog(options, false, 0);
  file.opening(0);
  expect(look(file, 9_000)).toBeNull();
  expect(look(file, 11_000)).toMatchObject({ code: 'CAMERA_PROCESS_DIED' });
});

test('a host that was held up reads first what came meanwhile', () => {
  const [living, stalled] = [new Watchdog(options, true, 0), new Watchdog(options, true, 0)];
  for (const dog of [living, stalled]) {
    dog.epoch(0);
    dog.report(500, 12, MB);
    expect(dog.check(500)).toBeNull();
    // Every message of twelve seconds still waits.
    expect(dog.check(12_500)).toBeNull();
  }
  living.report(12_501, 300, MB);
  stalled.report(12_501, 12, MB);
  expect(living.check(12_750)).toBeNull();
  expect(stalled.check(12_750)).toMatchObject({ code: 'CAMERA_STALLED' });
});

test('a file may wait for its reader as long as its child lives', () => {
  const dog = new Watchdog(options, false, 0);
  dog.opening(0);
  dog.epoch(100);
  for (let now = 500; now < 3_600_000; now += 500) {
    dog.report(now, 4, MB);
    expect(look(dog, now)).toBeNull();
  }
});

test('a child may not grow without bound', () => {
  const dog = new Watchdog(options, true, 0);
  dog.epoch(0);
  dog.report(100, 1, 512 * MB);
  expect(look(dog, 100)).toBeNull();
  dog.report(600, 2, 600 * MB);
  expect(look(dog, 600)).toMatchObject({
    code: 'CAMERA_PROCESS_DIED',
    message: expect.stringContaining('600 MB'),
  });
});
