import { beforeEach, expect, test } from 'vitest';
import { ResourceStack } from '../../src/app/resource-stack.ts';
import { redirectLog } from '../../src/log.ts';

const logged: string[] = [];
redirectLog((message) => logged.push(message));

let closed: string[];
let resources: ResourceStack;
beforeEach(() => {
  logged.length = 0;
  closed = [];
  resources = new ResourceStack();
});

/** Adds a resource that records its close, and fails then if `failure` is given. */
function add(name: string, failure?: Error): void {
  resources.add(name, async () => {
    closed.push(name);
    if (failure) throw failure;
  });
}

test('closeAfter returns the result, and closes in reverse order afterwards', async () => {
  const work = async () => {
    for (const name of ['model', 'publisher', 'server']) add(name);
    expect(closed).toEqual([]);
    return 'result';
  };
  expect(await resources.closeAfter(work)).toBe('result');
  expect(closed).toEqual(['server', 'publisher', 'model']);
});

test('closeOnFailure closes what was opened before the failure', async () => {
  const opening = resources.closeOnFailure(async () => {
    add('model');
    add('publisher');
    throw new Error('the port is in use');
  });
  await expect(opening).rejects.toThrow('the port is in use');
  expect(closed).toEqual(['publisher', 'model']);
  expect(logged).toEqual([]);
});

test('closeOnFailure leaves everything open on success', async () => {
  await resources.closeOnFailure(async () => add('model'));
  expect(closed).toEqual([]);
  await resources.close();
  expect(closed).toEqual(['model']);
});

test('a resource that fails to close does not keep the others open; its error is thrown', async () => {
  add('model');
  add('publisher', new Error('flush timed out'));
  add('server');
  await expect(resources.close()).rejects.toThrow('flush timed out');
  expect(closed).toEqual(['server', 'publisher', 'model']);
  expect(logged).toEqual([]);
});

test('the first error is thrown and every later one is logged', async () => {
  add('model', new Error('device lost'));
  add('publisher', new Error('flush timed out'));
  const running = resources.closeAfter(async () => {
    throw new Error('the stage failed');
  });
  await expect(running).rejects.toThrow('the stage failed');
  expect(closed).toEqual(['publisher', 'model']);
  expect(logged).toEqual([
    'the publisher failed to close: flush timed out',
    'the model failed to close: device lost',
  ]);
});

test('the same error from several resources is logged once at most', async () => {
  const failure = new Error('device lost');
  add('model', failure);
  const running = resources.closeAfter(() => Promise.reject(failure));
  await expect(running).rejects.toBe(failure);
  expect(logged).toEqual([]);
});

test('every resource is closed once', async () => {
  add('model');
  await resources.close();
  await resources.close();
  expect(closed).toEqual(['model']);
});
