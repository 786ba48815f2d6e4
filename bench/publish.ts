// Throughput of the publisher (encode, key, outbox, produce, acknowledge) relative to node-rdkafka's producer alone, with
// the same settings and messages, at one real broker. Also the size of Avro relative to JSON.
// Run: node bench/publish.ts
import rdkafka from 'node-rdkafka';
import { faceKey } from '../src/domain/track-key.ts';
import { kafkaOptions } from '../src/kafka/options.ts';
import { producerConfig } from '../src/kafka/producer.ts';
import { openPublisher } from '../src/publish/publisher.ts';
import { RecordEncoder } from '../src/records/avro.ts';
import { KafkaBroker } from '../test/broker/kafka-broker.ts';
import { frameNumber } from '../test/records/samples.ts';

const EVENTS = 40_000;
const BATCH = 16;
const IN_FLIGHT = 8_000;
const ROUNDS = 11;

const frames = Array.from({ length: 4096 }, (_, index) =>
  frameNumber(index >> 3, { trackId: 1 + (index & 7) }),
);
const encoder = new RecordEncoder('AuFrame');
const yieldToEventLoop = () => new Promise((resolve) => setImmediate(resolve));
const wait = () => new Promise((resolve) => setTimeout(resolve, 1));

/** Events per second of wall time (to the last acknowledgement) and of this process's CPU time. */
interface Rate {
  readonly wall: number;
  readonly cpu: number;
}

/** Sends EVENTS in batches, at most IN_FLIGHT ahead of `delivered`. */
async function measure(send: (from: number) => void, delivered: () => number): Promise<Rate> {
  const began = performance.now();
  const cpu = process.cpuUsage();
  for (let from = 0; from < EVENTS; from += BATCH) {
    while (from - delivered() > IN_FLIGHT) await wait();
    send(from);
    if (from % (BATCH * 16) === 0) await yieldToEventLoop();
  }
  while (delivered() < EVENTS) await wait();
  const { user, system } = process.cpuUsage(cpu);
  return { wall: (EVENTS / (performance.now() - began)) * 1e3, cpu: (EVENTS / (user + system)) * 1e6 };
}

const broker = await KafkaBroker.start();
const options = kafkaOptions.parse({ brokers: [broker.address], topics: { partitions: 4 } });

async function publisherRate(): Promise<Rate> {
  let acknowledged = 0;
  const publisher = await openPublisher(options, {
    acknowledged: () => {
      acknowledged += 1;
    },
    dropped: () => {
      throw new Error('an event was lost');
    },
  });
  const rate = await measure(
    (from) =>
      publisher.frames(Array.from({ length: BATCH }, (_, index) => frames[(from + index) % frames.length]!)),
    () => acknowledged,
  );
  await publisher.close();
  return rate;
}

async function producerRate(): Promise<Rate> {
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
  const rate = await measure(
    (from) => {
      for (let index = from; index < from + BATCH; index += 1) {
        const { key, value } = messages[index % messages.length]!;
        producer.produce('au.frames', null, value, key, null, index);
      }
    },
    () => delivered,
  );
  await new Promise((resolve) => producer.disconnect(1000, resolve));
  return rate;
}

// Warm-up.
await publisherRate();
await producerRate();
const rounds: { publisher: Rate; producer: Rate }[] = [];
for (let round = 0; round < ROUNDS; round += 1)
  rounds.push({ publisher: await publisherRate(), producer: await producerRate() });
const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
for (const clock of ['wall', 'cpu'] as const) {
  const [publisher, producer] = [
    rounds.map((round) => round.publisher[clock]),
    rounds.map((round) => round.producer[clock]),
  ];
  const ratio = median(rounds.map((round) => round.publisher[clock] / round.producer[clock]));
  const rate = (values: number[]) => `${Math.round(median(values))} events/s`;
  console.log(
    `${clock} time: publisher ${rate(publisher)}, producer alone ${rate(producer)}, ratio ${ratio.toFixed(2)}`,
  );
}
console.log(
  `medians of ${ROUNDS} rounds of ${EVENTS} events, alternating; aim: a ratio of 0.7 or more in wall time`,
);

const avroBytes = encoder.encode(frames[1000]!).length;
const jsonBytes = Buffer.byteLength(JSON.stringify(frames[1000]));
console.log(
  `one AuFrame: Avro ${avroBytes} bytes, JSON ${jsonBytes} bytes, ratio ${(avroBytes / jsonBytes).toFixed(2)}`,
);
await broker.stop();
