// Decodes one value of the crops topic, read from standard input, as an inference worker does. Prints as JSON why it is
// rejected (null: it is not) and the growth of the peak resident memory in bytes.

import { CropRecordDecoder } from '../../src/cluster/infer/crop-record-decoder.ts';
import { PixelDecoder } from '../../src/cluster/pixel-codec.ts';
import { RecordEncoder } from '../../src/records/avro.ts';
import { RecordDecoder } from '../../src/records/decode.ts';
import { cropMessage, jpegCrops } from './crop-records.ts';

const decoder = new CropRecordDecoder({
  decoder: new RecordDecoder(),
  pixels: new PixelDecoder(),
  deadLetters: new RecordEncoder('DeadLetter'),
  deadLetterTopic: 'au.deadletter',
  group: 'test',
});
const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk);
// Loads libvips first.
await decoder.read(cropMessage(await jpegCrops(2)));
const before = process.resourceUsage().maxRSS;
const reason = await decoder.read({ key: process.argv[2]!, value: Buffer.concat(chunks) }).then(
  () => null,
  ({ code, message }: { code?: string; message: string }) => `${code ?? 'crash'}: ${message}`,
);
console.log(JSON.stringify({ reason, growth: (process.resourceUsage().maxRSS - before) * 1024 }));
