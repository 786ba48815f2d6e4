import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openPipeline } from '../../src/app/pipeline.ts';
import { run } from '../../src/app/run.ts';
import { configSchema } from '../../src/config/schema.ts';
import { type ConsumedEvent, consume } from '../../src/consume/index.ts';
import type { AuFrame } from '../../src/domain/event.ts';
import type * as engines from '../../src/infer/engine/index.ts';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { log } from '../../src/log.ts';
import { openPublisher, type Publisher } from '../../src/publish/publisher.ts';
import { DEMO_CLIP } from '../e2e/austream.ts';

/** How `encode` fails after 40 crops; until then the model is the real one. */
let fault: () => Promise<Float32Array>;
vi.mock('../../src/infer/engine/index.ts', async (original) => {
  const real = await original<typeof engines>();
  const openModel: typeof real.openModel = async (options) => {
    const model = await real.openModel(options);
    let embedded = 0;
    const encode: typeof model.encode = async (crops, n) => {
      if (embedded >= 40) return fault();
      embedded += n;
      return model.encode(crops, n);
    };
    return { ...model, encode };
  };
  return { ...real, openModel };
});

let broker: Publisher;
beforeEach(async () => {
  log.level = 'silent';
  broker = await openPublisher(kafkaOptions.parse({ embedded: true }), {
    acknowledged: () => {},
    dropped: () => {},
  });
});
afterEach(() => broker.close());

const config = () =>
  configSchema.parse({
    cameras: [{ id: 'clip', url: pathToFileURL(DEMO_CLIP).href }],
    kafka: { brokers: [broker.brokers], topics: { create: false } },
    infer: { batch: { max: 16 } },
  });

/** Reads the topics until the camera is STOPPED and `frames` events have arrived, for at most 30 s. */
async function published(frames: number) {
  const events: ConsumedEvent[] = [];
  const of = <R extends ConsumedEvent['record']>(record: R) =>
    events.filter((event): event is Extract<ConsumedEvent, { record: R }> => event.record === record);
  for await (const event of consume({
    brokers: [broker.brokers],
    topics: ['au.frames', 'au.cameras'],
    groupId: 'test',
    fromBeginning: true,
    signal: AbortSignal.timeout(30_000),
  })) {
    events.push(event);
    const stopped = of('CameraStatus').some(({ value }) => value.state === 'STOPPED');
    if (stopped && of('AuFrame').length >= frames) break;
  }
  return {
    frames: of('AuFrame').map(({ value }) => value.eventId),
    state: of('CameraStatus').at(-1)?.value.state,
  };
}

test('a model failure ends the run; earlier events and the last camera status are still published', async () => {
  fault = () => Promise.reject(new Error('device lost'));
  const scored: AuFrame[] = [];
  const running = run(config(), { observer: { frames: (frames) => void scored.push(...frames) } });
  await expect(running).rejects.toThrow('device lost');
  expect(scored.length).toBeGreaterThanOrEqual(32);
  expect(await published(scored.length)).toEqual({
    frames: scored.map(({ eventId }) => eventId),
    state: 'STOPPED',
  });
});

test('a hanging model fails at its time limit, and the run ends in the same way', async () => {
  const hanging = Promise.withResolvers<void>();
  fault = () => {
    hanging.resolve();
    return new Promise(() => {});
  };
  const scored: AuFrame[] = [];
  const pipeline = await openPipeline(config(), { frames: (frames) => void scored.push(...frames) });
  await hanging.promise;
  await expect(pipeline.stop({ modelMs: 200, kafkaMs: 10_000 })).rejects.toMatchObject({
    code: 'ENGINE_FAILED',
  });
  expect(await published(scored.length)).toEqual({
    frames: scored.map(({ eventId }) => eventId),
    state: 'STOPPED',
  });
});
