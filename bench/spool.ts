// Drain of the spool: events that waited on disk while no broker was reachable, relative to librdkafka's producer alone with
// the same messages, at one real broker. Also the rate of writing them to the spool, and the peak of resident memory.
// Run: node bench/spool.ts [megabytes, default 500]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { kafkaOptions } from '../src/kafka/options.ts';
import { openPublisher } from '../src/publish/publisher.ts';
import { KafkaBroker } from '../test/broker/kafka-broker.ts';
import { frameNumber } from '../test/records/samples.ts';
import { measureProducer } from './producer-alone.ts';

const MEGABYTES = Number(process.argv[2] ?? 500);
const BATCH = 16;
const frames = Array.from({ length: 512 }, (_, index) =>
  frameNumber(index >> 3, { trackId: 1 + (index & 7) }),
);

const broker = await KafkaBroker.start();
const dir = mkdtempSync(join(tmpdir(), 'austream-bench-spool-'));
const options = kafkaOptions.parse({
  brokers: [broker.address],
  topics: { partitions: 4 },
  spool: { dir, maxMegabytes: 4 * MEGABYTES },
});

let acknowledged = 0;
let peakBytes = 0;
const sampler = setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
}, 50);
const publisher = await openPublisher(options, {
  acknowledged: () => {
    acknowledged += 1;
  },
  dropped: () => {
    throw new Error('an event was lost');
  },
});
await broker.kill9();
while (!publisher.stats().spooling) {
  publisher.frames(frames.slice(0, BATCH));
  await sleep(20);
}
const before = publisher.stats().pending;
const wroteFrom = performance.now();
let events = 0;
while (publisher.stats().spoolBytes < MEGABYTES * 1024 * 1024) {
  for (let batch = 0; batch < 16; batch += 1, events += BATCH)
    publisher.frames(Array.from({ length: BATCH }, (_, index) => frames[(events + index) % frames.length]!));
  await new Promise((resolve) => setImmediate(resolve));
}
const writeSeconds = (performance.now() - wroteFrom) / 1000;
const total = before + events;

await broker.restart();
while (acknowledged === 0) await sleep(5);
const drainFrom = performance.now();
const cpuFrom = process.cpuUsage();
const left = publisher.stats().pending;
while (publisher.stats().pending > 0) await sleep(5);
const drainSeconds = (performance.now() - drainFrom) / 1000;
const cpu = process.cpuUsage(cpuFrom);
await publisher.close();
clearInterval(sampler);

const alone = await measureProducer(options, frames, Math.min(left, 200_000));
const rate = left / drainSeconds;
console.log(`${total} events, ${MEGABYTES} MB on disk`);
console.log(`written: ${Math.round(events / writeSeconds)} events/s`);
console.log(
  `drained: ${Math.round(rate)} events/s, ${((cpu.user + cpu.system) / left).toFixed(1)} µs of CPU time an event; ` +
    `producer alone ${Math.round(alone.wall)} events/s, ${(1e6 / alone.cpu).toFixed(1)} µs, ratio ${(rate / alone.wall).toFixed(2)}`,
);
console.log(`peak of resident memory: ${Math.round(peakBytes / 1024 / 1024)} MB`);
await broker.stop();
rmSync(dir, { recursive: true });
