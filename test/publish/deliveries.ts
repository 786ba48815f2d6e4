import type { Hold, TopicDelivery } from '../../src/domain/topic-delivery.ts';

export const HOLD: Hold = {
  cause: 'kafka_topic_authorization_failed',
  detail: 'no right to write',
  sinceSeconds: 0,
};

/** A topic with nothing to deliver, unless `fields` say otherwise. */
export function delivery(fields: Partial<TopicDelivery> = {}): TopicDelivery {
  const empty = { pending: 0, waiting: 0, oldestSeconds: null, acknowledged: 0, dropped: 0, held: null };
  return { topic: 'au.frames', ...empty, ...fields };
}
