import { createReadStream, existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { AustreamError } from '../errors.ts';
import { readAvroContainer } from './avro-file.ts';
import { boundedLines } from './bounded-lines.ts';
import { addEvent } from './event-schema.ts';
import type { Recording } from './recording.ts';

/** An event has some 2 kB. */
const MAX_LINE_BYTES = 1 << 20;

/**
 * Reads a file of events into `recording`: an Avro container file (.avro) or JSON lines, as written by `run --json`,
 * `tail --json` and `score --out x.ndjson`. Path `-` is standard input.
 *
 * Rejects with AustreamError ARGUMENT_INVALID for a missing file, and for contents that are no events, by line or record.
 */
export async function readEventFile(path: string, recording: Recording): Promise<void> {
  if (path !== '-' && !existsSync(path))
    throw new AustreamError('ARGUMENT_INVALID', `no such file: ${path}`, {
      fix: 'pass a file of events (.ndjson, .avro), or a topic with --brokers or -c',
    });
  if (path.endsWith('.avro')) readAvroFile(path, recording);
  else await readJsonLines(path === '-' ? process.stdin : createReadStream(path), path, recording);
}

async function readJsonLines(stream: Readable, path: string, recording: Recording): Promise<void> {
  let number = 0;
  const tooLong = () =>
    new AustreamError(
      'ARGUMENT_INVALID',
      `${path}, line ${number + 1}: longer than ${MAX_LINE_BYTES} bytes`,
      {
        fix: 'pass the output of austream run --json, tail --json or score --out x.ndjson',
      },
    );
  for await (const line of boundedLines(stream, MAX_LINE_BYTES, tooLong)) {
    number += 1;
    if (line.trim() === '') continue;
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch (cause) {
      throw new AustreamError('ARGUMENT_INVALID', `${path}, line ${number}: not JSON`, {
        fix: 'pass the output of austream run --json, tail --json or score --out x.ndjson',
        cause,
      });
    }
    addEvent(event, `${path}, line ${number}`, recording);
  }
}

/** Reads an Avro container file of AuFrame or CameraStatus records, as written by Kafka Connect sinks. */
function readAvroFile(path: string, recording: Recording): void {
  let number = 0;
  try {
    for (const event of readAvroContainer(path)) {
      number += 1;
      addEvent(event, `${path}, record ${number}`, recording);
    }
  } catch (cause) {
    if (cause instanceof AustreamError) throw cause;
    const message = `${path}: not an Avro container file: ${(cause as Error).message}`;
    throw new AustreamError('ARGUMENT_INVALID', message, { cause });
  }
}
