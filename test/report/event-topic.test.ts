import { Kafka, logLevel } from 'kafkajs';
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

test('a record at the end that cannot be decoded ends the reading, too', async () => {
  const published = frames(4);
  const options = kafkaOptions.parse({ embedded: true });
  const publisher = await openPublisher(options, { acknowledged: () => {}, dropped: () => {} });
  const producer = new Kafka({
    brokers: publisher.brokers.split(','),
    logLevel: logLevel.NOTHING,
  }).producer();
  try {
    publisher.frames(published);
    await publisher.flush(20_000);
    await producer.connect();
    const partitions = [0, 1, 2, 3];
    const messages = partitions.map((partition) => ({ partition, value: 'garbage' }));
    await producer.send({ topic: 'au.frames', messages });
    let sent = 0;
    // Events that arrive meanwhile do not keep it reading.
    const more = setInterval(() => {
      publisher.frames(published.slice(0, 1));
      sent += 1;
    }, 100);
    const recording = new Recording();
    const brokers = publisher.brokers.split(',');
    try {
      await readEventTopic('au.frames', { ...options, embedded: false, brokers }, recording);
    } finally {
      clearInterval(more);
    }
    expect(sent).toBeGreaterThan(0);
    expect(firstTrack(recording).frameCount).toBe(100);
  } finally {
    await producer.disconnect();
    await publisher.close();
  }
}, 60_000);
