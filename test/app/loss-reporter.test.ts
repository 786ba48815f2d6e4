import { expect, test } from 'vitest';
import { LossReporter } from '../../src/app/loss-reporter.ts';

function reporter() {
  const lines: string[] = [];
  return { lines, losses: new LossReporter((level, _, text) => void lines.push(`${level} ${text}`)) };
}

test('the first loss of a cause is told at once, later ones once a minute with their count', () => {
  const { lines, losses } = reporter();
  losses.report(0);
  expect(lines).toEqual([]);
  losses.add('hall', 1, 'spool_full');
  losses.report(1_000);
  expect(lines.splice(0)).toEqual(['warn 1 events or crops lost: spool_full (hall)']);
  for (let second = 2; second < 61; second += 1) {
    losses.add(second % 2 ? 'hall' : 'door', 100, 'spool_full');
    losses.report(second * 1_000);
  }
  expect(lines).toEqual([]);
  losses.report(61_000);
  expect(lines.splice(0)).toEqual(['warn 5900 events or crops lost: spool_full (door, hall), 5901 in all']);
  losses.report(200_000);
  expect(lines).toEqual([]);
  expect(losses.totals).toEqual({ spool_full: 5901 });
});

test('each cause has its own minute; what was not told is told at the end', () => {
  const { lines, losses } = reporter();
  losses.add('hall', 1, 'spool_full');
  losses.report(0);
  losses.add('hall', 1, 'disk_full');
  losses.add('hall', 2, 'spool_full');
  losses.report(1_000);
  expect(lines.splice(0)).toHaveLength(2);
  losses.finish();
  expect(lines).toEqual(['warn 2 events or crops lost: spool_full (hall), 3 in all']);
});

test('frames that a live camera leaves out are information; crops are a warning', () => {
  const { lines, losses } = reporter();
  losses.add('hall', 3, 'analysis_slow');
  losses.add('hall', 3, 'inference_overload');
  losses.report(0);
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['info', 'warn']);
});

test('a line stays short with many cameras', () => {
  const { lines, losses } = reporter();
  for (let camera = 0; camera < 200; camera += 1) losses.add(`camera-${camera}`, 1, 'kafka_away');
  losses.report(0);
  expect(lines[0]).toMatch(/^warn 200 .* and 195 more\)$/);
});
