import { expect, test } from 'vitest';
import { Rendezvous } from '../../src/consume/rendezvous.ts';

test('the sender waits until the receiver acknowledges the item', async () => {
  const channel = new Rendezvous<number>();
  const outcomes: string[] = [];
  const sent = channel.send(1).then((outcome) => outcomes.push(outcome));
  expect(await channel.receive()).toBe(1);
  expect(outcomes).toEqual([]);
  channel.acknowledge();
  await sent;
  expect(outcomes).toEqual(['acknowledged']);
});

test('a receiver waits for the next item', async () => {
  const channel = new Rendezvous<string>();
  const received = channel.receive();
  void channel.send('event');
  expect(await received).toBe('event');
});

test('closing answers the sender with closed and ends the receiver', async () => {
  const channel = new Rendezvous<number>();
  const sent = channel.send(1);
  await channel.receive();
  channel.close();
  expect(await sent).toBe('closed');
  expect(await channel.receive()).toBeNull();
  expect(await channel.send(2)).toBe('closed');
});

test('the receiver rejects with the error of close', async () => {
  const channel = new Rendezvous<number>();
  const received = channel.receive();
  channel.close(new Error('no broker'));
  await expect(received).rejects.toThrow('no broker');
});
