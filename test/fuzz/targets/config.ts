import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../src/config/schema.ts';
import { RecordBuffer, scanSegment } from '../../../src/publish/spool-segment.ts';
import { readEventFile } from '../../../src/report/event-file.ts';
import { Recording } from '../../../src/report/recording.ts';
import type { FuzzTarget } from '../target.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

export const configFile: FuzzTarget = {
  name: 'config',
  grammar: 'text',
  seeds: [
    readFileSync(new URL('../../../austream.example.yaml', import.meta.url)),
    Buffer.from('cameras:\n  - &a {id: x, url: "rtsp://h/"}\n  - *a\nkafka: {brokers: [h:9092]}\n'),
    Buffer.from(`cameras: ${'['.repeat(5_000)}`),
  ],
  dictionary: ['&a ', '*a', '<<: *a', '!!set', '- ', '? ', '|\n', '%YAML 1.1\n', '__proto__:'],
  quick: 300,
  run(input) {
    const path = join(folder, 'austream.yaml');
    writeFileSync(path, input);
    loadConfig(path);
  },
};

const records = new RecordBuffer();
for (const seq of [1, 2]) records.add({ seq, topic: 'au.frames', key: 'cam/1', value: Buffer.from('value') });

export const spoolSegment: FuzzTarget = {
  name: 'spool segment',
  seeds: [
    Buffer.concat([Buffer.from('AUSPOOL1'), records.bytes]),
    Buffer.from('AUSPOOL1'),
    // Right checksum, lengths beyond the payload.
    Buffer.concat([
      Buffer.from('AUSPOOL1'),
      Buffer.from('00000009', 'hex'),
      Buffer.from('3a4b1f7f', 'hex'),
      Buffer.from('ffffffffffffffffff', 'hex'),
    ]),
  ],
  run(input) {
    const path = join(folder, '0000000000000001.seg');
    writeFileSync(path, input);
    const segment = scanSegment(path, 0);
    if (segment !== null && segment.bytes > input.length) throw new TypeError('more bytes than the file has');
  },
};

const frame = {
  cameraId: 'cam',
  epoch: 1,
  trackId: 1,
  frame: 1,
  captureTime: 1,
  clockSource: 'rtcp',
  warmup: false,
  quality: { score: 1, unreliable: null },
  model: { name: 'm', version: '1', trained: true },
  aus: { au01: { raw: 0.5, p: 0.5, active: true, reliability: null } },
};
const status = {
  cameraId: 'cam',
  at: 1,
  state: 'LIVE',
  gap: { from: 1, to: 2, cause: 'frames_missing', framesLost: 1 },
};

export const eventFile: FuzzTarget = {
  name: 'event file (JSON lines)',
  quick: 1_000,
  grammar: 'json',
  seeds: [Buffer.from(`${JSON.stringify(frame)}\n${JSON.stringify(status)}\n`)],
  run(input) {
    const path = join(folder, 'events.ndjson');
    writeFileSync(path, input);
    return readEventFile(path, new Recording());
  },
};
