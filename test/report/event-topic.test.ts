import { expect, test } from 'vitest';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { readEventTopic } from '../../src/report/event-topic.ts';
import { Recording } from '../../src/report/recording.ts';
import { firstTrack, frames } from './recorded.ts';

test('a topic is read from its oldest to its newest record', async () => {
  const published = frames(4);
  const options = kafkaOptions.parse({ embedded: true });
  const publisher = await openPublisher(options, { acknowledged: () => {}, dropped: () => {} });
  try {
    publisher.frames(published);
    await publisher.flush(20_000);
    const recording = new Recording();
    const brokers = publisher.brokers.split(',');
    await readEventTopic('au.frames', { ...options, embedded: false, brokers }, recording);
    expect(firstTrack(recording).frameCount).toBe(100);
    expect(firstTrack(recording).smoothed[0]!.at(7)).toBeCloseTo(published[7]!.aus.au01!.p, 5);
  } finally {
    await publisher.close();
  }
}, 60_000);
