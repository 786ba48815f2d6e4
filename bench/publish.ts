// Throughput of the publisher (encode, key, outbox, produce, acknowledge) relative to node-rdkafka's producer alone, with
// the same settings and messages, at one real broker. Also the size of Avro relative to JSON.
// Run: node bench/publish.ts
import { kafkaOptions } from '../src/kafka/options.ts';
import { openPublisher } from '../src/publish/publisher.ts';
import { RecordEncoder } from '../src/records/avro.ts';
import { KafkaBroker } from '../test/broker/kafka-broker.ts';
import { frameNumber } from '../test/records/samples.ts';
import { measureProducer, measureRate, type Rate } from './producer-alone.ts';

const EVENTS = 40_000;
const ROUNDS = 11;

const frames = Array.from({ length: 4096 }, (_, index) =>
  frameNumber(index >> 3, { trackId: 1 + (index & 7) }),
);
const encoder = new RecordEncoder('AuFrame');
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
  const rate = await measureRate(
    EVENTS,
    (from, to) =>
      publisher.frames(
        Array.from({ length: to - from }, (_, index) => frames[(from + index) % frames.length]!),
      ),
    () => acknowledged,
  );
  await publisher.close();
  return rate;
}

const producerRate = () => measureProducer(options, frames, EVENTS);

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
  `medians of ${ROUNDS} rounds of ${EVENTS} events, alternating; aim: a ratio of 0.8 or more in wall time`,
);

const avroBytes = encoder.encode(frames[1000]!).length;
const jsonBytes = Buffer.byteLength(JSON.stringify(frames[1000]));
console.log(
  `one AuFrame: Avro ${avroBytes} bytes, JSON ${jsonBytes} bytes, ratio ${(avroBytes / jsonBytes).toFixed(2)}`,
);
await broker.stop();
