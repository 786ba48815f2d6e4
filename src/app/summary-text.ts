import { lossKind } from '../domain/loss-cause.ts';
import type { Summary } from './summary.ts';
import { undeliveredText } from './undelivered.ts';

/** The summary as text for a person. */
export function summaryText(summary: Summary): string {
  const { framesIn, faces, events, dropped, drops, undelivered, unreadFiles, lagMs } = summary;
  const lag = (ms: number | null) => (ms === null ? '–' : `${Math.round(ms)} ms`);
  return [
    `frames in  ${framesIn}`,
    `faces      ${faces}`,
    `events out ${events}`,
    `dropped    ${dropped}`,
    ...Object.entries(drops).map(([cause, count]) => `           ${count} ${cause}${about(cause)}`),
    ...undelivered.map((rest) => `waiting    ${undeliveredText(rest)}`),
    ...(unreadFiles.length > 0 ? [`unread     not to the end: ${unreadFiles.join(', ')}`] : []),
    `lag        p50 ${lag(lagMs.p50)}, p99 ${lag(lagMs.p99)} from capture to the broker's acknowledgement`,
    '',
  ].join('\n');
}

function about(cause: string): string {
  const kind = lossKind(cause);
  if (kind === 'frames') return ': live frames left out before analysis';
  return kind === 'crops' ? ': live crops left out before scoring' : '';
}
