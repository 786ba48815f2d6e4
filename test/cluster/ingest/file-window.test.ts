import { expect, it } from 'vitest';
import { FileWindow } from '../../../src/cluster/ingest/file-window.ts';

it('a file goes on at the limit, not when everything is acknowledged', async () => {
  const window = new FileWindow(2);
  const order: string[] = [];
  const send = async (name: string, records: number) => {
    for (let record = 0; record < records; record += 1) window.sent();
    await window.room();
    order.push(name);
  };
  const settle = async () => {
    window.settled();
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };
  await send('clip', 2);
  const waiting = Promise.all([send('clip', 1), send('film', 1)]);
  await settle();
  expect(order).toEqual(['clip']);
  await settle();
  expect(order).toEqual(['clip', 'clip', 'film']);
  await waiting;
});
