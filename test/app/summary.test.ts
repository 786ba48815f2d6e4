import { expect, test } from 'vitest';
import { failureOf, type Outcome } from '../../src/app/outcome.ts';
import { RunStatistics } from '../../src/app/summary.ts';
import { summaryText } from '../../src/app/summary-text.ts';
import { generatedStatus } from '../dashboard/generated.ts';
import { faceCrop, frameOf } from '../infer/faces.ts';

const END = { undelivered: [], unreadFiles: [] };

test('dropped counts losses of all epochs and stages by cause, but not frames skipped by analysisFps', () => {
  const statistics = new RunStatistics();
  const status = (epoch: number, drops: Record<string, number>) =>
    statistics.status(generatedStatus('hall', 'LIVE', { epoch, drops }));
  status(1, { analysis_fps: 100, analysis_slow: 2 });
  status(1, { analysis_fps: 200, analysis_slow: 3 });
  status(2, { analysis_fps: 50, too_old: 1 });
  statistics.dropped('hall', 4, 'inference_overload');
  expect(statistics.summary(END)).toMatchObject({
    dropped: 3 + 1 + 4,
    drops: { analysis_slow: 3, too_old: 1, inference_overload: 4 },
    fileDrops: {},
  });
  expect(status(2, { analysis_fps: 60 }).drops).toEqual({ analysis_fps: 60, inference_overload: 4 });
});

test.each(['spool_full', 'kafka_away', 'closed_before_delivery', 'crop_encoding_failed', 'record_too_large'])(
  'a loss by %s is in the camera’s status and in the summary',
  (cause) => {
    const statistics = new RunStatistics();
    statistics.dropped('hall', 7, cause);
    expect(statistics.status(generatedStatus('hall', 'LIVE')).drops).toMatchObject({ [cause]: 7 });
    expect(statistics.summary(END).drops).toEqual({ [cause]: 7 });
  },
);

test('drops of a pause in both stages add up', () => {
  const statistics = new RunStatistics();
  statistics.dropped('hall', 4, 'paused');
  const { drops } = statistics.status(generatedStatus('hall', 'PAUSED', { drops: { paused: 3 } }));
  expect(drops).toEqual({ paused: 7 });
  expect(statistics.summary(END).dropped).toBe(0);
});

test('the text names each cause, what waits and which files are unread', () => {
  const statistics = new RunStatistics();
  statistics.dropped('hall', 4, 'inference_overload');
  statistics.dropped('hall', 2, 'spool_full');
  const text = summaryText(
    statistics.summary({
      undelivered: [{ topic: 'au.frames', events: 9, cause: 'kafka_unknown_topic', spooled: true }],
      unreadFiles: ['clip'],
    }),
  );
  expect(text).toContain('dropped    6\n');
  expect(text).toContain('4 inference_overload: live crops left out before scoring\n');
  expect(text).toContain('2 spool_full\n');
  expect(text).toContain('9 events of au.frames (kafka_unknown_topic): in the spool');
  expect(text).toContain('not to the end: clip');
});

const NOTHING: Outcome = { drops: {}, fileDrops: {}, undelivered: [], unreadFiles: [] };

test('without --strict losses are no failure, undelivered events are one', () => {
  expect(failureOf({ ...NOTHING, drops: { spool_full: 3 }, unreadFiles: ['clip'] }, {})).toBeNull();
  const waiting = { topic: 'au.frames', events: 9, spooled: false };
  expect(failureOf({ ...NOTHING, undelivered: [{ ...waiting, cause: null }] }, {})).toMatchObject({
    code: 'KAFKA_UNREACHABLE',
    message: 'events were not delivered: 9 events of au.frames: lost',
  });
  const refused = { ...waiting, cause: 'kafka_topic_authorization_failed' };
  expect(failureOf({ ...NOTHING, undelivered: [refused] }, {})).toMatchObject({ code: 'KAFKA_REJECTED' });
});

test('--strict: every loss and every unread file is a failure, live frames left out under load are not', () => {
  const strict = { strict: true };
  expect(failureOf(NOTHING, strict)).toBeNull();
  expect(failureOf({ ...NOTHING, drops: { overload: 9, inference_overload: 9 } }, strict)).toBeNull();
  expect(failureOf({ ...NOTHING, drops: { overload: 9, spool_full: 3 } }, strict)).toMatchObject({
    code: 'LOSSES_FOUND',
    exitCode: 1,
    message: '--strict: 3 spool_full',
  });
  expect(failureOf({ ...NOTHING, unreadFiles: ['clip'] }, strict)?.message).toContain('clip');
});

test('--strict: of a file nothing may be left out', () => {
  const statistics = new RunStatistics();
  statistics.frame({ ...frameOf([faceCrop({ frame: 1 })]), cameraId: 'clip', clockSource: 'file' });
  statistics.dropped('clip', 4, 'inference_overload');
  statistics.dropped('hall', 5, 'inference_overload');
  expect(failureOf(statistics.summary(END), { strict: true })?.message).toBe(
    '--strict: 4 inference_overload',
  );
});
