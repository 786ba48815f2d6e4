import { expect, test } from 'vitest';
import { judge } from '../../src/records/registry-answer.ts';

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);
const retryAfter = (header: string | undefined) => {
  const headers = header === undefined ? {} : { 'retry-after': header };
  const answer = judge('GET /subjects', { status: 503, headers, text: '' }, NOW);
  return answer.kind === 'outage' ? answer.retryAfterMs : answer.kind;
};

test.each([
  [undefined, 0],
  ['7', 7_000],
  [' 7 ', 7_000],
  ['Thu, 01 Jan 2026 12:00:30 GMT', 30_000],
  ['Thu, 01 Jan 2026 11:00:00 GMT', 0],
  ['99999999999', 300_000],
  ['Fri, 01 Jan 2100 00:00:00 GMT', 300_000],
  ['-5', 0],
  ['soon', 0],
])('Retry-After: %s is %i ms, five minutes at most', (header, milliseconds) => {
  expect(retryAfter(header)).toBe(milliseconds);
});

test.each([
  [404, { error_code: 40401 }, 'absent'],
  [404, { error_code: 40402 }, 'absent'],
  [404, { error_code: 40403 }, 'absent'],
  [404, { error_code: 40408 }, 'absent'],
  [404, { error_code: '40403' }, 'outage'],
  [404, { error_code: 404 }, 'outage'],
  [404, [40403], 'outage'],
  [404, null, 'outage'],
  [410, { error_code: 40403 }, 'rejected'],
  [502, { error_code: 40403 }, 'outage'],
  [204, null, 'outage'],
  [304, null, 'outage'],
  [409, { error_code: 409 }, 'rejected'],
  [422, { error_code: 42205 }, 'rejected'],
])('HTTP %i with %j is %s', (status, body, kind) => {
  expect(judge('GET /x', { status, headers: {}, text: JSON.stringify(body) }, NOW)).toMatchObject({ kind });
});
