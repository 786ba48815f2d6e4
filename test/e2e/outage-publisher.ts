// Publishes frames `from` … `to` of 8 tracks as fast as it can, waiting at `pauseAt` for a message; tells its parent
// {acknowledged}: how many the broker has; {durable}: all up to here are safe on disk or at the broker; {done}: all
// are handed over; {maxRss}: in MB, when all are delivered.
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { frameNumber } from '../records/samples.ts';

const { brokers, topicPrefix, dir, from, pauseAt, to } = JSON.parse(process.argv[2]!);
const TRACKS = 8;
const BATCH = 16;

const tell = (message: object) => process.send!(message);
let acknowledged = 0;
let maxRss = 0;
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
    dropped: (cameraId, count, cause) => tell({ lost: `${count} of ${cameraId}: ${cause}` }),
    connection: (state, detail) => tell({ state, detail }),
  },
);
let handedOver = from;
const watch = setInterval(() => {
  const rss = process.memoryUsage().rss / 2 ** 20;
  maxRss = Math.max(maxRss, rss);
  const stats = publisher.stats();
  tell({ acknowledged, stats, ...(stats.spooling ? { durable: handedOver } : {}) });
}, 100);

/** At full speed, but for other events' sake. */
async function publish(end: number): Promise<void> {
  for (let index = handedOver; index < end; index += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, end - index) }, (_, offset) => index + offset);
    publisher.frames(numbers.map((n) => frameNumber(Math.floor(n / TRACKS), { trackId: 1 + (n % TRACKS) })));
    handedOver = index + numbers.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const goOn = new Promise((resolve) => process.once('message', resolve));
await publish(Math.max(from, pauseAt));
await goOn;
await publish(to);
tell({ done: to });
await publisher.flush(300_000);
clearInterval(watch);
tell({ maxRss: Math.round(maxRss), acknowledged });
await publisher.close();
process.disconnect?.();
