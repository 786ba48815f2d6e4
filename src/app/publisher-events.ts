import { diagnostics } from '../diagnostics.ts';
import { log } from '../log.ts';
import type { RunStatistics } from './summary.ts';

/** Events of a publisher: drops are counted and published as diagnostics, changes of the connection are logged; `DeliveryWatch` tells the rest. */
export function publisherEvents(statistics: RunStatistics) {
  return {
    dropped(cameraId: string, count: number, cause: string): void {
      statistics.dropped(cameraId, count, cause);
      diagnostics.lost.publish({ cameraId, count, cause });
    },
    /** A broker that answers may still refuse a topic, so the log does not say that Kafka is connected. */
    connection(state: 'connected' | 'unreachable', detail: string): void {
      if (state === 'unreachable') log.warn({ kafka: state }, `Kafka is unreachable: ${detail}`);
      else log.info({ kafka: 'answers' }, 'Kafka answers');
    },
    delivery(topic: string, state: 'delivering' | 'held', cause: string, detail: string): void {
      diagnostics.delivery.publish({ topic, state, cause, detail });
    },
    spool(state: 'failing' | 'working', detail: string): void {
      if (state === 'working') log.info({ spool: state }, `the spool can be written again: ${detail}`);
      else log.warn({ spool: state }, `the spool cannot be written, events wait in memory: ${detail}`);
    },
  };
}
