// Publishes frames `from` … `to` of 8 tracks as fast as it can; at `pauseAt` it waits for a message. Sends to its parent:
// {acknowledged}: number of acknowledged frames; {peakRss}: MB so far; {durable}: all frames up to here are on disk or
// acknowledged; {published}: all frames are handed to the publisher; {finished}: all frames are acknowledged.
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { frameNumber } from '../records/samples.ts';

const { brokers, topicPrefix, dir, from, pauseAt, to } = JSON.parse(process.argv[2]!);
const TRACKS = 8;
const BATCH = 16;

const report = (message: object) => process.send!(message);
let acknowledged = 0;
let peakRss = 0;
const publisher = await openPublisher(
  kafkaOptions.parse({
    ...{ brokers, topicPrefix, connectSeconds: 2, memoryMegabytes: 16 },
    spool: { dir, maxMegabytes: 1024 },
    topics: { partitions: 4 },
  }),
  {
    acknowledged: () => {
      acknowledged += 1;
    },
    dropped: (cameraId, count, cause) => report({ lost: `${count} of ${cameraId}: ${cause}` }),
    connection: (state, detail) => report({ state, detail }),
  },
);
let publishedCount = from;
const reports = setInterval(() => {
  peakRss = Math.max(peakRss, process.memoryUsage().rss / 2 ** 20);
  const stats = publisher.stats();
  report({ acknowledged, peakRss, stats, ...(stats.spooling ? { durable: publishedCount } : {}) });
}, 100);

/** Publishes at full speed, with a turn of the event loop after each batch. */
async function publish(end: number): Promise<void> {
  for (let index = publishedCount; index < end; index += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, end - index) }, (_, offset) => index + offset);
    publisher.frames(numbers.map((n) => frameNumber(Math.floor(n / TRACKS), { trackId: 1 + (n % TRACKS) })));
    publishedCount = index + numbers.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const resumed = new Promise((resolve) => process.once('message', resolve));
await publish(Math.max(from, pauseAt));
await resumed;
await publish(to);
report({ published: to });
await publisher.flush(300_000);
clearInterval(reports);
report({ acknowledged, finished: 1 });
await publisher.close();
process.disconnect?.();
