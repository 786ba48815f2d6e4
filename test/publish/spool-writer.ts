// Appends to the spool in argv[2], starting with seq argv[3], until it is killed. Prints the newest appended seq.
import { writeSync } from 'node:fs';
import { SpoolFolder } from '../../src/publish/spool-folder.ts';

const folder = await SpoolFolder.open(
  { dir: process.argv[2]!, maxMegabytes: 64, syncSeconds: 1 },
  { lost() {} },
);
const spool = folder.topic('au.frames');
for (let seq = Number(process.argv[3]); ; seq += 7) {
  const batch = Array.from({ length: 7 }, (_, index) => ({
    seq: seq + index,
    topic: 'au.frames',
    key: 'cam/1',
    value: Buffer.alloc(300, seq),
  }));
  spool.append(batch, 0);
  writeSync(1, `${seq + 6}\n`);
}
