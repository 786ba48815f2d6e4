import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatScheduleTime,
  isWatchedAt,
  nextChange,
  type Schedule,
  scheduleOptions,
} from '../../src/camera/schedule.ts';

const schedule = (timeZone: string, ...hours: object[]): Schedule =>
  scheduleOptions.parse({ timeZone, hours });
const watched = (plan: Schedule, at: string) => isWatchedAt(plan, Date.parse(at));
const change = (plan: Schedule, at: string) => {
  const next = nextChange(plan, Date.parse(at));
  return next === null ? null : new Date(next).toISOString();
};

describe('hours within a day', () => {
  const office = schedule('Europe/Berlin', {
    days: ['mon', 'tue', 'wed', 'thu', 'fri'],
    from: '08:00',
    to: '18:00',
  });

  test('include their beginning and exclude their end, in local time', () => {
    // 2 December 2026 is a Wednesday; Berlin is one hour ahead of UTC.
    expect(watched(office, '2026-12-02T06:59:59.999Z')).toBe(false);
    expect(watched(office, '2026-12-02T07:00:00Z')).toBe(true);
    expect(watched(office, '2026-12-02T16:59:59.999Z')).toBe(true);
    expect(watched(office, '2026-12-02T17:00:00Z')).toBe(false);
  });

  test('leave out the other days', () => {
    expect(watched(office, '2026-12-05T10:00:00Z')).toBe(false);
    expect(change(office, '2026-12-04T17:00:00Z')).toBe('2026-12-07T07:00:00.000Z');
    expect(formatScheduleTime(office, Date.parse('2026-12-07T07:00:00Z'))).toBe('Mon 08:00 Europe/Berlin');
  });

  test('follow daylight saving time', () => {
    expect(watched(office, '2026-07-01T06:00:00Z')).toBe(true);
    expect(watched(office, '2026-07-01T05:59:59Z')).toBe(false);
  });
});

describe('hours across midnight', () => {
  const night = schedule('America/New_York', { days: ['fri'], from: '22:00', to: '06:00' });

  test('belong to the day on which they begin', () => {
    // New York is five hours behind UTC in December; the 4th is a Friday.
    expect(watched(night, '2026-12-05T02:59:59Z')).toBe(false);
    expect(watched(night, '2026-12-05T03:00:00Z')).toBe(true);
    expect(watched(night, '2026-12-05T10:59:59Z')).toBe(true);
    expect(watched(night, '2026-12-05T11:00:00Z')).toBe(false);
    expect(watched(night, '2026-12-04T08:00:00Z')).toBe(false);
    expect(watched(night, '2026-12-06T03:00:00Z')).toBe(false);
  });

  test('wrap from Sunday to Monday', () => {
    const sunday = schedule('UTC', { days: ['sun'], from: '23:00', to: '01:00' });
    expect(watched(sunday, '2026-12-07T00:30:00Z')).toBe(true);
    expect(watched(sunday, '2026-12-06T00:30:00Z')).toBe(false);
  });
});

describe('when the clocks change', () => {
  test('hours that are skipped in spring begin at the change', () => {
    // Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
    const plan = schedule('Europe/Berlin', { from: '02:30', to: '04:00' });
    expect(watched(plan, '2026-03-29T00:59:59Z')).toBe(false);
    expect(watched(plan, '2026-03-29T01:00:00Z')).toBe(true);
    expect(watched(plan, '2026-03-29T01:59:59Z')).toBe(true);
    expect(watched(plan, '2026-03-29T02:00:00Z')).toBe(false);
    expect(change(plan, '2026-03-29T00:00:00Z')).toBe('2026-03-29T01:00:00.000Z');
  });

  test('hours that lie wholly in the skipped hour do not happen', () => {
    const plan = schedule('Europe/Berlin', { days: ['sun'], from: '02:10', to: '02:50' });
    expect(change(plan, '2026-03-28T12:00:00Z')).toBe('2026-04-05T00:10:00.000Z');
  });

  test('hours that repeat in autumn happen twice', () => {
    // Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
    const plan = schedule('Europe/Berlin', { from: '02:00', to: '02:30' });
    expect(watched(plan, '2026-10-25T00:15:00Z')).toBe(true);
    expect(watched(plan, '2026-10-25T00:45:00Z')).toBe(false);
    expect(watched(plan, '2026-10-25T01:15:00Z')).toBe(true);
    expect(change(plan, '2026-10-25T00:30:00Z')).toBe('2026-10-25T01:00:00.000Z');
  });

  test('a night shift is an hour shorter in spring and longer in autumn', () => {
    const night = schedule('Europe/Berlin', { days: ['sat'], from: '22:00', to: '06:00' });
    expect(change(night, '2026-03-28T22:00:00Z')).toBe('2026-03-29T04:00:00.000Z');
    expect(change(night, '2026-10-24T21:00:00Z')).toBe('2026-10-25T05:00:00.000Z');
  });

  test('zones with half-hour changes are followed', () => {
    // Lord Howe Island, 5 April 2026: 02:00 becomes 01:30 at 15:00 UTC on the 4th.
    const plan = schedule('Australia/Lord_Howe', { from: '01:45', to: '03:00' });
    expect(change(plan, '2026-04-04T14:00:00Z')).toBe('2026-04-04T14:45:00.000Z');
    expect(watched(plan, '2026-04-04T15:05:00Z')).toBe(false);
    expect(watched(plan, '2026-04-04T15:15:00Z')).toBe(true);
  });
});

test('the next change is the first minute at which the state differs', () => {
  const time = fc
    .integer({ min: 0, max: 24 * 60 - 1 })
    .map(
      (minute) =>
        `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`,
    );
  const days = fc.uniqueArray(fc.constantFrom('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'), {
    minLength: 1,
  });
  const zone = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/St_Johns',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
  );
  const hours = fc.record({ days, from: time, to: time }).filter(({ from, to }) => from !== to);
  fc.assert(
    fc.property(
      zone,
      fc.array(hours, { minLength: 1, maxLength: 3 }),
      // Around the changes of 2026 in Europe, America and Australia.
      fc.constantFrom('2026-03-28', '2026-10-24', '2026-03-07', '2026-10-31', '2026-04-04', '2026-10-03'),
      fc.integer({ min: 0, max: 24 * 60 }),
      (timeZone, list, date, minute) => {
        const plan = schedule(timeZone, ...list);
        const now = Date.parse(`${date}T00:00:00Z`) + minute * 60_000;
        const found = nextChange(plan, now);
        const before = isWatchedAt(plan, now);
        let slow: number | null = null;
        for (let at = now + 60_000; slow === null && at <= now + 36 * 3_600_000; at += 60_000)
          if (isWatchedAt(plan, at) !== before) slow = at;
        if (slow !== null || (found !== null && found <= now + 36 * 3_600_000)) expect(found).toBe(slow);
      },
    ),
    { numRuns: 60 },
  );
});

test('hours that never end never change', () => {
  expect(change(schedule('UTC', { from: '00:00', to: '24:00' }), '2026-12-02T00:00:00Z')).toBeNull();
});

describe('a schedule is rejected', () => {
  test.each([
    ['without hours', { hours: [] }],
    ['with an unknown zone', { timeZone: 'Europe/Atlantis', hours: [{ from: '08:00', to: '18:00' }] }],
    ['with an unknown day', { hours: [{ days: ['mo'], from: '08:00', to: '18:00' }] }],
    ['with equal times', { hours: [{ from: '08:00', to: '08:00' }] }],
    ['with a time that does not exist', { hours: [{ from: '25:00', to: '26:00' }] }],
    ['that begins at 24:00', { hours: [{ from: '24:00', to: '08:00' }] }],
    ['with a number for a time', { hours: [{ from: 8, to: 18 }] }],
  ])('%s', (_, options) => {
    expect(scheduleOptions.safeParse(options).success).toBe(false);
  });
});
