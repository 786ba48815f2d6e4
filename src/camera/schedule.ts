import { z } from 'zod';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
type Day = (typeof DAYS)[number];

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** Time zones change their offset at full or half hours of UTC. */
const HALF_HOUR_MS = 30 * MINUTE_MS;
/** How far ahead the next change is searched; every day of the week lies within. */
const SEARCH_MS = 8 * DAY_MINUTES * MINUTE_MS;

const timeOfDay = z
  .string()
  .regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'a time of day such as "08:00", in quotes; at most "24:00"');

/** The hours in which a camera is watched. Outside them it is not connected. */
export const scheduleOptions = z.strictObject({
  /** IANA name. Default: the time zone of the host. */
  timeZone: z.string().refine(isTimeZone, 'must be an IANA time zone such as Europe/Berlin').optional(),
  /** The camera is watched while one of them applies. */
  hours: z
    .array(
      z
        .strictObject({
          /** Days on which the hours begin. */
          days: z
            .array(z.enum(DAYS))
            .min(1)
            .default([...DAYS]),
          from: timeOfDay,
          /** Not included. Earlier than `from`: on the next day. */
          to: timeOfDay,
        })
        .refine(({ from, to }) => from !== to, 'from and to are equal; a whole day is "00:00" to "24:00"')
        .refine(({ from }) => from !== '24:00', 'from must be earlier than "24:00"'),
    )
    .min(1)
    .max(50),
});
export type Schedule = z.output<typeof scheduleOptions>;

/** Whether the camera is watched at `now` (Unix milliseconds). */
export function isWatchedAt(schedule: Schedule, now: number): boolean {
  return isWatched(schedule, localTime(clockOf(schedule), now));
}

/** When `isWatchedAt` changes next (Unix milliseconds); null: not within a week. */
export function nextChange(schedule: Schedule, now: number): number | null {
  const clock = clockOf(schedule);
  const watched = isWatched(schedule, localTime(clock, now));
  const boundaries = schedule.hours.flatMap(({ from, to }) => [minuteOf(from), minuteOf(to) % DAY_MINUTES]);
  for (let at = now - (now % HALF_HOUR_MS); at < now + SEARCH_MS; at += HALF_HOUR_MS) {
    const { minute } = localTime(clock, at);
    // Within one half-hour the local time passes evenly, so that the boundaries in it are known.
    const offsets = boundaries.map((boundary) => (boundary - minute + DAY_MINUTES) % DAY_MINUTES);
    const candidates = [0, ...offsets.filter((offset) => offset < 30)].sort((a, b) => a - b);
    for (const candidate of candidates.map((offset) => at + offset * MINUTE_MS))
      if (candidate > now && isWatched(schedule, localTime(clock, candidate)) !== watched) return candidate;
  }
  return null;
}

/** `Tue 08:00 Europe/Berlin`. */
export function formatScheduleTime(schedule: Schedule, at: number): string {
  const clock = clockOf(schedule);
  const { day, minute } = localTime(clock, at);
  const text = [Math.floor(minute / 60), minute % 60]
    .map((number) => String(number).padStart(2, '0'))
    .join(':');
  const name = DAYS[day]!;
  return `${name[0]!.toUpperCase()}${name.slice(1)} ${text} ${clock.resolvedOptions().timeZone}`;
}

/** Local time decides, so a change of the clocks needs no special case: skipped hours are short, repeated ones long. */
interface LocalTime {
  /** Index into DAYS. */
  readonly day: number;
  /** Minutes since local midnight. */
  readonly minute: number;
}

function isWatched({ hours }: Schedule, { day, minute }: LocalTime): boolean {
  return hours.some(({ days, from, to }) => {
    const [start, end] = [minuteOf(from), minuteOf(to)];
    const begins = (index: number) => days.includes(DAYS[(index + 7) % 7]!);
    if (start < end) return begins(day) && start <= minute && minute < end;
    return (begins(day) && start <= minute) || (begins(day - 1) && minute < end);
  });
}

function minuteOf(time: string): number {
  return 60 * Number(time.slice(0, 2)) + Number(time.slice(3));
}

/** Node's time zone data is ICU's. One formatter per zone: creating one takes longer than using it. */
const clocks = new Map<string | undefined, Intl.DateTimeFormat>();

function clockOf({ timeZone }: Pick<Schedule, 'timeZone'>): Intl.DateTimeFormat {
  let clock = clocks.get(timeZone);
  if (!clock) {
    clock = new Intl.DateTimeFormat('en-US', {
      ...(timeZone === undefined ? {} : { timeZone }),
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    clocks.set(timeZone, clock);
  }
  return clock;
}

function localTime(clock: Intl.DateTimeFormat, at: number): LocalTime {
  const parts = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, value]));
  return {
    day: DAYS.indexOf(parts.weekday!.toLowerCase() as Day),
    minute: 60 * Number(parts.hour) + Number(parts.minute),
  };
}

function isTimeZone(name: string): boolean {
  try {
    clockOf({ timeZone: name });
    return true;
  } catch {
    return false;
  }
}
