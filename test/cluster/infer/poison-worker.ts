// An inference worker with a fake model whose decoder dies of marked records, as a fault in a native decoder would.
// Run: node poison-worker.ts BROKER PREFIX. Prints one JSON line for each start, death and loss.

import { InferGroupMember } from '../../../src/cluster/infer/group-member.ts';
import { clusterOptions } from '../../../src/cluster/options.ts';
import { PixelDecoder } from '../../../src/cluster/pixel-codec.ts';
import { clusterTopics, inferTopics } from '../../../src/cluster/topics.ts';
import { diagnostics } from '../../../src/diagnostics.ts';
import { inferOptions } from '../../../src/infer/options.ts';
import { kafkaOptions } from '../../../src/kafka/options.ts';
import { TableReader } from '../../../src/kafka/table-reader.ts';
import { RecordEncoder } from '../../../src/records/avro.ts';
import { RecordDecoder } from '../../../src/records/decode.ts';
import type { FaceCropBatch } from '../../../src/records/events.ts';
import { fakeModel } from '../../infer/fake-model.ts';
import { HOP, POISON } from './poison.ts';

const [broker, prefix] = process.argv.slice(2) as [string, string];
const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

class KillingDecoder extends PixelDecoder {
  override async decode(batch: FaceCropBatch): Promise<FaceCropBatch> {
    if (batch.crops.some(({ pixels }) => pixels.subarray(0, POISON.length).equals(POISON))) {
      print({ died: `${batch.cameraId}/${batch.trackId}/${batch.crops[0]!.frame}` });
      process.kill(process.pid, 'SIGKILL');
    }
    return super.decode(batch);
  }
}

const kafka = kafkaOptions.parse({ brokers: [broker], topicPrefix: prefix });
const states = await TableReader.open(kafka, clusterTopics(prefix).inferState);
const member = new InferGroupMember(
  {
    kafka,
    states,
    cluster: clusterOptions.parse({ group: prefix, sessionSeconds: 6 }),
    infer: inferOptions.parse({ hop: HOP }),
    model: fakeModel(16, HOP),
    decoder: new RecordDecoder(),
    pixels: new KillingDecoder(),
    encoders: {
      AuFrame: new RecordEncoder('AuFrame'),
      AuActivation: new RecordEncoder('AuActivation'),
      DeadLetter: new RecordEncoder('DeadLetter'),
    },
    topics: inferTopics(prefix),
  },
  {},
);
diagnostics.lost.subscribe((lost) => print({ lost }));
member.failed.catch((error) => {
  print({ failed: String(error) });
  process.exit(1);
});
await member.join();
print({ started: true });
process.on('SIGTERM', () => void member.leave().then(() => process.exit(0)));
