import { diagnostics } from '../diagnostics.ts';
import { log } from '../log.ts';
import type { RunStatistics } from './summary.ts';

/** Events of a publisher: drops are counted and published as diagnostics, changes of the connection are logged. */
export function publisherEvents(statistics: RunStatistics) {
  return {
    dropped(cameraId: string, count: number, cause: string): void {
      statistics.dropped(cameraId, count, cause);
      diagnostics.lost.publish({ cameraId, count, cause });
    },
    connection(state: 'connected' | 'unreachable', detail: string): void {
      log[state === 'unreachable' ? 'warn' : 'info']({ kafka: state }, `Kafka is ${state}: ${detail}`);
    },
    spool(state: 'failing' | 'working', detail: string): void {
      if (state === 'working') log.info({ spool: state }, `the spool can be written again: ${detail}`);
      else log.warn({ spool: state }, `the spool cannot be written, events wait in memory: ${detail}`);
    },
  };
}
