import { AustreamError } from '../errors.ts';
import type { KafkaOptions } from '../kafka/options.ts';

/** Workers meet on brokers: the embedded one lives inside a single process. */
export function requireBrokers(kafka: KafkaOptions): void {
  if (kafka.embedded)
    throw new AustreamError('CONFIG_INVALID', 'kafka.embedded: workers of a cluster cannot share it', {
      fix: 'set kafka.brokers: ["host:9092"], or use austream run for everything in one process',
    });
}
