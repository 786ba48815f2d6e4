// Opens publishers without a broker, says so, and when it is told that the broker is back closes one after the other, while
// they connect.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { kafkaOptions } from '../../src/kafka/options.ts';
import { openPublisher } from '../../src/publish/publisher.ts';
import { frameNumber } from '../records/samples.ts';

const kafka = kafkaOptions.parse(JSON.parse(process.argv[2]!));
const open = (dir: string) =>
  openPublisher({ ...kafka, spool: { ...kafka.spool!, dir } }, { acknowledged() {}, dropped() {} });
const first = await open(kafka.spool!.dir);
first.frames(Array.from({ length: 10 }, (_, index) => frameNumber(index)));
await first.close();
const others = await Promise.all(
  Array.from({ length: 12 }, (_, index) => open(`${kafka.spool!.dir}-${index}`)),
);
process.send!('opened');
await once(process, 'message');
process.disconnect!();
await Promise.all(
  others.map(async (publisher, index) => {
    await sleep(index * 300);
    await publisher.close();
  }),
);
