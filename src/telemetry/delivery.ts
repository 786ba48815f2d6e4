import type { Meter } from '@opentelemetry/api';
import type { ProcessGauges } from '../diagnostics.ts';

/** Delivery per topic. Holds that have ended are observed as 0: a series that ends would keep its last value. */
export function watchDelivery(meter: Meter, gauges: () => ProcessGauges): void {
  const held = meter.createObservableGauge('austream.publish.held', {
    description: '1 while nothing is delivered to the topic, by cause',
  });
  const oldest = meter.createObservableGauge('austream.publish.oldest.age', {
    unit: 's',
    description: 'Age of the oldest event that is not acknowledged',
  });
  const pending = meter.createObservableGauge('austream.publish.topic.pending', {
    unit: '{event}',
    description: 'Events of the topic that are not acknowledged',
  });
  /** By topic: every cause that ever held it. */
  const causes = new Map<string, Set<string>>();
  meter.addBatchObservableCallback(
    (result) => {
      for (const delivery of gauges().publisher.topics) {
        const { topic } = delivery;
        const known = causes.get(topic) ?? new Set<string>();
        causes.set(topic, known);
        if (delivery.held) known.add(delivery.held.cause);
        for (const cause of known)
          result.observe(held, cause === delivery.held?.cause ? 1 : 0, { topic, cause });
        result.observe(oldest, delivery.oldestSeconds ?? 0, { topic });
        result.observe(pending, delivery.pending, { topic });
      }
    },
    [held, oldest, pending],
  );
}
