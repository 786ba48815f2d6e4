import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import avro from 'avsc';
import { AustreamError } from '../errors.ts';
import { take } from './event-schema.ts';
import type { Recording } from './recording.ts';

/** Reads a file of events: JSON lines (`run --json`, `tail --json`, `score --out x.ndjson`; `-`: standard input) or Avro. */
export async function readFile(path: string, recording: Recording): Promise<void> {
  if (path !== '-' && !existsSync(path))
    throw new AustreamError('ARGUMENT_INVALID', `no such file: ${path}`, {
      fix: 'give a file of events (.ndjson, .avro), or a topic with --brokers or -c',
    });
  if (path.endsWith('.avro')) await readAvro(path, recording);
  else await readLines(path === '-' ? process.stdin : createReadStream(path), path, recording);
}

async function readLines(stream: Readable, path: string, recording: Recording): Promise<void> {
  let number = 0;
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    if (line.trim() === '') continue;
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch (cause) {
      throw new AustreamError('ARGUMENT_INVALID', `${path}, line ${number}: not JSON`, {
        fix: 'give what austream run --json, tail --json or score --out x.ndjson has written',
        cause,
      });
    }
    take(event, `${path}, line ${number}`, recording);
  }
}

/** An Avro container file of AuFrame or CameraStatus records, as a sink connector writes it. */
async function readAvro(path: string, recording: Recording): Promise<void> {
  const decoder = avro.createFileDecoder(path);
  let number = 0;
  try {
    for await (const event of decoder) {
      number += 1;
      take(event, `${path}, record ${number}`, recording);
    }
  } catch (cause) {
    if (cause instanceof AustreamError) throw cause;
    const why = `${path}: not an Avro container file: ${(cause as Error).message}`;
    throw new AustreamError('ARGUMENT_INVALID', why, { cause });
  }
}
