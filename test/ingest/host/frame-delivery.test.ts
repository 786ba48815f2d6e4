import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FaceCrop, FrameFaces } from '../../../src/domain/face.ts';
import { FrameDelivery } from '../../../src/ingest/host/frame-delivery.ts';

const frame = (epoch: number) => ({ epoch, crops: [{}] as FaceCrop[] }) as unknown as FrameFaces;

test('every opened epoch is ended exactly once, before the next one begins', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      // A step of 0 continues the epoch; null: the child is gone.
      fc.array(fc.option(fc.constantFrom(0, 0, 1, 2), { freq: 4 }), { maxLength: 40 }),
      async (isLive, steps) => {
        const log: string[] = [];
        const delivery = new FrameDelivery('hall', isLive, {
          faces: ({ epoch }) => void (log.at(-1) !== `frame ${epoch}` && log.push(`frame ${epoch}`)),
          epochEnded: (_, epoch) => void log.push(`end ${epoch}`),
        });
        let epoch = 0;
        let afterExit = false;
        for (const step of steps) {
          if (step === null) await delivery.endEpoch();
          else {
            epoch += afterExit ? step + 1 : step;
            await delivery.deliver(frame(epoch), true);
          }
          afterExit = step === null;
        }
        await delivery.endEpoch();
        const opened = [...new Set(log.filter((entry) => entry.startsWith('frame')))];
        expect(log).toEqual(opened.flatMap((entry) => [entry, entry.replace('frame', 'end')]));
      },
    ),
  );
});

test('a file waits for its receiver, a live source does not', async () => {
  const received: string[] = [];
  const gate = Promise.withResolvers<void>();
  const events = {
    faces: ({ epoch }: FrameFaces) => {
      received.push(`frame ${epoch}`);
      return gate.promise;
    },
    epochEnded: () => gate.promise,
  };
  const live = new FrameDelivery('live', true, events);
  await live.deliver(frame(1), true);
  await live.deliver(frame(2), true);
  expect(received).toEqual(['frame 1', 'frame 2']);
  const file = new FrameDelivery('file', false, events);
  const delivered = file.deliver(frame(3), true);
  expect(await Promise.race([delivered.then(() => 'delivered'), Promise.resolve('waiting')])).toBe('waiting');
  gate.resolve();
  await delivered;
});

test('a frame that is not fresh is delivered without its crops', async () => {
  const crops: number[] = [];
  const delivery = new FrameDelivery('hall', true, {
    faces: (faces) => void crops.push(faces.crops.length),
    epochEnded: () => {},
  });
  await delivery.deliver(frame(1), true);
  await delivery.deliver(frame(1), false);
  expect(crops).toEqual([1, 0]);
});
