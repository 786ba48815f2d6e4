import { describe, expect, test } from 'vitest';
import type { FrameFaces } from '../../../src/domain/face.ts';
import { SendQueue } from '../../../src/ingest/child/send-queue.ts';

describe('the send queue', () => {
  const faces = (frame: number, endedTracks: number[] = []) =>
    ({ frame, epoch: 1, endedTracks, crops: [] }) as unknown as FrameFaces;

  test('without credits keeps the newest frame, counts the dropped ones, and loses no end of a track', () => {
    const sent: FrameFaces[] = [];
    let dropped = 0;
    const queue = new SendQueue(
      (message) => sent.push(message),
      () => dropped++,
    );
    for (let frame = 0; frame < 20; frame++) queue.offer(faces(frame, [frame]));
    expect(sent.map(({ frame }) => frame)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    queue.acknowledged();
    expect(sent.at(-1)).toMatchObject({
      frame: 19,
      endedTracks: [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
    });
    expect(dropped).toBe(11);
  });

  test('makes a file wait for credits, in order', async () => {
    const sent: FrameFaces[] = [];
    const queue = new SendQueue(
      (message) => sent.push(message),
      () => expect.unreachable(),
    );
    const allSent = (async () => {
      for (let frame = 0; frame < 30; frame++) await queue.send(faces(frame));
    })();
    for (let frame = 0; frame < 30; frame++) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(sent.length).toBeLessThanOrEqual(frame + 8);
      queue.acknowledged();
    }
    await allSent;
    expect(sent.map(({ frame }) => frame)).toEqual(Array.from({ length: 30 }, (_, index) => index));
  });
});
