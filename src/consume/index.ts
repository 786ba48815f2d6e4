import { isKafkajsError, toAustreamError } from '../kafka/kafkajs-errors.ts';
import { registerSecrets } from '../redaction.ts';
import type { ConsumedEvent } from './event.ts';
import type { ConsumeOptions } from './options.ts';
import { Rendezvous } from './rendezvous.ts';
import { TopicReader } from './topic-reader.ts';

export type * from '../records/events.ts';
export type { ConsumedEvent, EventPlace } from './event.ts';
export type { ConsumeOptions, PoisonMessage } from './options.ts';

/**
 * Reads the events of austream's topics, in order per key, at least once:
 *
 *     for await (const event of consume({ brokers: ['localhost:9092'], topics: ['au.frames'], groupId: 'mine' }))
 *       if (event.record === 'AuFrame') console.log(event.value.cameraId, event.value.aus.au12?.p);
 *
 * An event counts as read when the loop's body has run for it. If the body throws, breaks or crashes, the event is
 * delivered again next time. Outages of the brokers and of the schema registry are retried without end. Throws
 * KAFKA_UNREACHABLE if no broker answers at the start, KAFKA_REJECTED or REGISTRY_REJECTED if the brokers or the registry
 * reject a request, PREREQUISITE_MISSING for an unknown compression, and whatever `onPoison` throws.
 */
export async function* consume(options: ConsumeOptions): AsyncGenerator<ConsumedEvent, void, void> {
  const { sasl } = options;
  if (sasl && 'password' in sasl) registerSecrets([sasl.password]);
  const events = new Rendezvous<ConsumedEvent>();
  const stop = () => events.close();
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted) return;
  const reader = new TopicReader(options, events);
  try {
    await reader.start();
    for (let event = await events.receive(); event; event = await events.receive()) {
      yield event;
      events.acknowledge();
    }
  } catch (error) {
    throw isKafkajsError(error) ? toAustreamError(error, options.brokers, options.topics) : error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    events.close();
    await reader.stop();
  }
}
