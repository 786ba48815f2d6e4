import { isKafkajsError, toAustreamError } from '../kafka/kafkajs-errors.ts';
import type { ConsumedEvent } from './event.ts';
import type { ConsumeOptions } from './options.ts';
import { Rendezvous } from './rendezvous.ts';
import { TopicReader } from './topic-reader.ts';

export type * from '../records/events.ts';
export type { ConsumedEvent, EventPlace } from './event.ts';
export type { ConsumeOptions, PoisonMessage } from './options.ts';

/**
 * Events of austream's topics, in order per key, each at least once:
 *
 *     for await (const event of consume({ brokers: ['localhost:9092'], topics: ['au.frames'], groupId: 'mine' }))
 *       if (event.record === 'AuFrame') console.log(event.value.cameraId, event.value.aus.au12?.p);
 *
 * An event counts as read when the body has run for it: leaving the loop (or a crash) in its body brings it
 * again next time. Outages of the brokers and of the registry are waited out. Throws AustreamError where no broker
 * can be reached at the start, or one or the registry refuses; and whatever `onPoison` throws.
 */
export async function* consume(options: ConsumeOptions): AsyncGenerator<ConsumedEvent, void, void> {
  const handoff = new Rendezvous<ConsumedEvent>();
  const stop = () => handoff.end();
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted) return;
  const reader = new TopicReader(options, handoff);
  try {
    await reader.start();
    for (let event = await handoff.take(); event; event = await handoff.take()) {
      yield event;
      handoff.done();
    }
  } catch (error) {
    throw isKafkajsError(error) ? toAustreamError(error, options.brokers, options.topics) : error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    handoff.end();
    await reader.stop();
  }
}
