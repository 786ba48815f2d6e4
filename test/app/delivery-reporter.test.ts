import { expect, test } from 'vitest';
import { DeliveryReporter } from '../../src/app/delivery-reporter.ts';
import { delivery, HOLD } from '../publish/deliveries.ts';

function reporter() {
  const lines: string[] = [];
  return { lines, reports: new DeliveryReporter((level, _, text) => void lines.push(`${level} ${text}`)) };
}

const held = (sinceSeconds: number, pending: number, cause = HOLD.cause) =>
  delivery({
    pending,
    waiting: pending,
    oldestSeconds: sinceSeconds,
    held: { ...HOLD, cause, sinceSeconds },
  });

test('a hold is told at once, then each minute; the end says how many were late and that none was lost', () => {
  const { lines, reports } = reporter();
  reports.report(0, [held(0, 1)]);
  expect(lines.splice(0)).toEqual([
    'warn au.frames: events are held for 0 s: kafka_topic_authorization_failed: no right to write; 1 wait, the oldest for 0 s',
  ]);
  for (let second = 1; second < 60; second += 1) reports.report(second * 1_000, [held(second, 10 * second)]);
  expect(lines).toEqual([]);
  reports.report(60_000, [held(60, 600)]);
  expect(lines.splice(0)).toEqual([
    expect.stringMatching(/still held for 60 s.*600 wait, the oldest for 60 s/),
  ]);
  reports.report(70_000, [delivery({ pending: 650, waiting: 400, oldestSeconds: 70 })]);
  expect(lines).toEqual([]);
  reports.report(71_000, [delivery({ acknowledged: 650 })]);
  expect(lines.splice(0)).toEqual([
    'info au.frames: events are delivered again: 650 were delivered up to 60 s late, none was lost',
  ]);
  reports.report(72_000, [delivery({ acknowledged: 660 })]);
  expect(lines).toEqual([]);
});

test('another cause is told at once; a topic that is held again before it drained is told once', () => {
  const { lines, reports } = reporter();
  reports.report(0, [held(0, 5)]);
  for (let flap = 1; flap < 20; flap += 1) {
    reports.report(flap * 100, [delivery({ pending: 5, waiting: 5, oldestSeconds: 1 })]);
    reports.report(flap * 100 + 50, [held(1, 5)]);
  }
  expect(lines).toHaveLength(1);
  reports.report(3_000, [held(3, 5, 'kafka_unknown_topic_or_partition')]);
  expect(lines).toHaveLength(2);
});

test('losses while held are counted at the end', () => {
  const { lines, reports } = reporter();
  reports.report(0, [held(0, 5)]);
  reports.report(1_000, [delivery({ dropped: 3 })]);
  expect(lines.at(-1)).toMatch(/^warn .*: 2 were delivered up to 0 s late, 3 were lost$/);
});
