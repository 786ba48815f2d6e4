import { lossKind } from '../domain/loss-cause.ts';
import { AustreamError } from '../errors.ts';
import type { Summary } from './summary.ts';
import { undeliveredText } from './undelivered.ts';

/** What of a summary decides about success. A process without files or a publisher has empty ones. */
export type Outcome = Pick<Summary, 'drops' | 'fileDrops' | 'undelivered' | 'unreadFiles'>;

/**
 * The error with which a finished process ends; null: success. Events that were not delivered are always an error. With
 * `strict`, so is everything else that was lost: frames and crops of live cameras that were left out under load are not,
 * because a live camera on a busy machine always leaves some out.
 */
export function failureOf(
  outcome: Outcome,
  { strict = false }: { readonly strict?: boolean },
): AustreamError | null {
  const { undelivered } = outcome;
  if (undelivered.length > 0)
    return new AustreamError(
      undelivered.some(({ cause }) => cause !== null) ? 'KAFKA_REJECTED' : 'KAFKA_UNREACHABLE',
      `events were not delivered: ${undelivered.map(undeliveredText).join('; ')}`,
      { fix: 'check that the brokers can be reached, and the cause in docs/troubleshooting.md' },
    );
  const lost = strict ? strictLosses(outcome) : [];
  if (lost.length === 0) return null;
  return new AustreamError('LOSSES_FOUND', `--strict: ${lost.join(', ')}`, {
    fix: 'docs/troubleshooting.md says of each cause what was lost, and why',
  });
}

/** E.g. `12 spool_full`. Files are read in full: of them, everything that was left out counts. */
function strictLosses({ drops, fileDrops, unreadFiles }: Outcome): string[] {
  const counted = Object.entries(drops)
    .map(([cause, count]) => [cause, lossKind(cause) === 'lost' ? count : (fileDrops[cause] ?? 0)] as const)
    .filter(([, count]) => count > 0);
  return [
    ...counted.map(([cause, count]) => `${count} ${cause}`),
    ...(unreadFiles.length > 0 ? [`not read to the end: ${unreadFiles.join(', ')}`] : []),
  ];
}
