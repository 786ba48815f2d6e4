import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import avro from 'avsc';
import { AustreamError } from '../errors.ts';
import type { RecordedFrame, RecordedStatus, Recording } from './recording.ts';

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
    take(event, recording);
  }
}

/** An Avro container file of AuFrame or CameraStatus records, as a sink connector writes it. */
async function readAvro(path: string, recording: Recording): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    avro
      .createFileDecoder(path)
      .on('data', (event: unknown) => take(event, recording))
      .on('end', resolve)
      .on('error', (cause: Error) =>
        reject(
          new AustreamError('ARGUMENT_INVALID', `${path}: not an Avro container file: ${cause.message}`, {
            cause,
          }),
        ),
      );
  });
}

/** Frames and camera states by their shape; other events of the same files say nothing that a report needs. */
function take(event: unknown, recording: Recording): void {
  if (typeof event !== 'object' || event === null) return;
  // What `score` writes names its file beside a camera that has no name of its own.
  const named = 'source' in event ? { ...event, cameraId: String(event.source) } : event;
  if ('aus' in event && 'trackId' in event) recording.frame(named as unknown as RecordedFrame);
  else if ('state' in event && 'gap' in event) recording.status(event as unknown as RecordedStatus);
}
