import { AustreamError } from '../errors.ts';
import { BROKER_ADDRESS, BROKER_ADDRESS_RULE } from '../kafka/broker-address.ts';
import { isKafkajsError, toAustreamError } from '../kafka/kafkajs-errors.ts';
import { registerSecrets } from '../redaction.ts';
import type { ConsumedEvent } from './event.ts';
import type { ConsumeOptions, ConsumeStats } from './options.ts';
import { Rendezvous } from './rendezvous.ts';
import { TopicReader } from './topic-reader.ts';

export type * from '../records/events.ts';
export type { ConsumedEvent, EventPlace, Tombstone } from './event.ts';
export type { ConsumeOptions, ConsumeStats, OffsetReset, PoisonMessage } from './options.ts';
export type { PartitionLag } from './positions.ts';
export type { ResetCause } from './starting-point.ts';

/** An async iterator of events. */
export interface Consumption extends AsyncGenerator<ConsumedEvent, void, void> {
  /** What this program has read, how far it is behind, and what it waits for. */
  stats(): ConsumeStats;
}

/**
 * Reads the events of austream's topics, in order per key, at least once:
 *
 *     for await (const event of consume({ brokers: ['localhost:9092'], topics: ['au.frames'], groupId: 'mine' }))
 *       if (event.record === 'AuFrame') console.log(event.value.cameraId, event.value.aus.au12?.p);
 *
 * An event counts as read when the loop's body has run for it. If the body throws, breaks or crashes, the event is
 * delivered again next time. Outages of the brokers and of the schema registry are retried without end. Throws
 * ARGUMENT_INVALID for a broker that is not host:port, KAFKA_UNREACHABLE if no broker answers at the start, KAFKA_REJECTED or
 * REGISTRY_REJECTED if the brokers or the registry reject a request, PREREQUISITE_MISSING for an unknown compression, and
 * whatever `onPoison`, `onReset`, `onLag` or `onRetry` throws.
 */
export function consume(options: ConsumeOptions): Consumption {
  const { sasl, brokers } = options;
  const invalid = brokers.find((broker) => !BROKER_ADDRESS.test(broker));
  if (invalid !== undefined)
    throw new AustreamError('ARGUMENT_INVALID', `brokers: '${invalid}' ${BROKER_ADDRESS_RULE}`);
  if (sasl && 'password' in sasl) registerSecrets([sasl.password]);
  const events = new Rendezvous<ConsumedEvent>();
  const reader = new TopicReader(options, events);
  return Object.assign(read(options, events, reader), { stats: () => reader.stats() });
}

async function* read(
  options: ConsumeOptions,
  events: Rendezvous<ConsumedEvent>,
  reader: TopicReader,
): AsyncGenerator<ConsumedEvent, void, void> {
  const { signal, brokers, topics, groupId } = options;
  const stop = () => events.close();
  if (signal?.aborted) return;
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await reader.start();
    for (let event = await events.receive(); event; event = await events.receive()) {
      yield event;
      events.acknowledge();
    }
  } catch (error) {
    throw isKafkajsError(error)
      ? toAustreamError(error, brokers, { topics, groupId, operation: 'Read' })
      : error;
  } finally {
    signal?.removeEventListener('abort', stop);
    events.close();
    await reader.stop();
  }
}
