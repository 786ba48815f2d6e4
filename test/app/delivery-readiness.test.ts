import { expect, test } from 'vitest';
import { DeliveryReadiness } from '../../src/app/delivery-readiness.ts';
import { delivery, HOLD } from '../publish/deliveries.ts';

const waits = (oldestSeconds: number, fields = {}) =>
  delivery({ pending: 9, waiting: 9, oldestSeconds, ...fields });

test('a topic that is refused for longer than the limit is named, while others are delivered', () => {
  const readiness = new DeliveryReadiness(30);
  const busy = delivery({ topic: 'au.cameras', acknowledged: 1, pending: 1, oldestSeconds: 0.1 });
  readiness.observe(0, [waits(30, { held: HOLD }), busy]);
  expect(readiness.missing).toEqual([]);
  readiness.observe(1_000, [waits(31, { held: HOLD }), { ...busy, acknowledged: 50 }]);
  expect(readiness.missing).toEqual([
    'events are being refused: kafka_topic_authorization_failed (au.frames)',
  ]);
  readiness.observe(2_000, [delivery({ acknowledged: 9 }), busy]);
  expect(readiness.missing).toEqual([]);
});

test('an outage has its own words', () => {
  const readiness = new DeliveryReadiness(30);
  readiness.observe(0, [waits(99, { held: { ...HOLD, cause: 'kafka_unreachable' } })]);
  expect(readiness.missing).toEqual([]);
});

test('a spool that drains is ready; one that stopped draining is not', () => {
  const readiness = new DeliveryReadiness(30);
  for (let second = 0; second < 100; second += 1) {
    readiness.observe(second * 1_000, [waits(4_000, { acknowledged: second * 100 })]);
    expect(readiness.missing).toEqual([]);
  }
  readiness.observe(131_000, [waits(4_000, { acknowledged: 9_900 })]);
  expect(readiness.missing).toEqual(['events are not acknowledged: the oldest waits for 4000 s (au.frames)']);
});
