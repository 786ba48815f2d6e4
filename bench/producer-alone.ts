import rdkafka from 'node-rdkafka';
import type { AuFrame } from '../src/domain/event.ts';
import { faceKey } from '../src/domain/track-key.ts';
import type { KafkaOptions } from '../src/kafka/options.ts';
import { producerConfig } from '../src/kafka/producer.ts';
import { RecordEncoder } from '../src/records/avro.ts';

const BATCH = 16;
const IN_FLIGHT = 8_000;

/** Events per second of wall time (to the last acknowledgement) and of this process's CPU time. */
export interface Rate {
  readonly wall: number;
  readonly cpu: number;
}

const yieldToEventLoop = () => new Promise((resolve) => setImmediate(resolve));
const wait = () => new Promise((resolve) => setTimeout(resolve, 1));

/** Sends `events` in batches of BATCH, at most IN_FLIGHT ahead of `delivered`. */
export async function measureRate(
  events: number,
  send: (from: number, to: number) => void,
  delivered: () => number,
): Promise<Rate> {
  const began = performance.now();
  const cpu = process.cpuUsage();
  for (let from = 0; from < events; from += BATCH) {
    while (from - delivered() > IN_FLIGHT) await wait();
    send(from, Math.min(from + BATCH, events));
    if (from % (BATCH * 16) === 0) await yieldToEventLoop();
  }
  while (delivered() < events) await wait();
  const { user, system } = process.cpuUsage(cpu);
  return { wall: (events / (performance.now() - began)) * 1e3, cpu: (events / (user + system)) * 1e6 };
}

/** The floor: librdkafka's producer with the publisher's settings, and messages that were encoded beforehand. */
export async function measureProducer(
  options: KafkaOptions,
  frames: readonly AuFrame[],
  events: number,
): Promise<Rate> {
  const encoder = new RecordEncoder('AuFrame');
  const messages = frames.map((frame) => ({ key: faceKey(frame), value: encoder.encode(frame) }));
  let delivered = 0;
  const producer = new rdkafka.Producer(...producerConfig(options));
  producer.on('delivery-report', (error) => {
    if (error) throw error;
    delivered += 1;
  });
  await new Promise((resolve, reject) =>
    producer.connect({}, (error) => (error ? reject(error) : resolve(undefined))),
  );
  producer.setPollInterval(10);
  const rate = await measureRate(
    events,
    (from, to) => {
      for (let index = from; index < to; index += 1) {
        const { key, value } = messages[index % messages.length]!;
        producer.produce('au.frames', null, value, key, null, index);
      }
    },
    () => delivered,
  );
  await new Promise((resolve) => producer.disconnect(1000, resolve));
  return rate;
}
