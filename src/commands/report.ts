import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command, InvalidArgumentError } from 'commander';
import { loadConfig } from '../config/schema.ts';
import { AustreamError } from '../errors.ts';
import { type KafkaOptions, kafkaOptions } from '../kafka/options.ts';
import { readFile } from '../report/event-file.ts';
import { readTopic } from '../report/event-topic.ts';
import { reportHtml } from '../report/html.ts';
import { openFaceCsv } from '../report/openface.ts';
import { type RecordedTrack, Recording } from '../report/recording.ts';

interface ReportFlags {
  from: string;
  out?: string;
  openface?: string;
  plots?: string;
  camera?: string;
  track?: number;
  config?: string;
  brokers?: string;
}

/** `austream report`: what a researcher sends to a colleague. */
export function reportCommand(): Command {
  return new Command('report')
    .description(
      'Make a report (HTML), pictures (PNG) or a table in the columns of OpenFace of recorded events',
    )
    .requiredOption(
      '--from <source>',
      'file of events (.ndjson, .avro, - for standard input) or topic (au.frames)',
    )
    .option('-o, --out <file>', 'where the report goes: a self-contained HTML file')
    .option('--plots <folder>', 'where pictures go: a PNG of the time courses of each face')
    .option('--openface <file>', 'where the table goes: CSV with OpenFace’s column names')
    .option('--camera <id>', 'only this camera')
    .option('--track <n>', 'only this face', track)
    .option('-c, --config <file>', 'take the brokers from this config file')
    .option('--brokers <host:port,…>', 'brokers of the topic')
    .action(async (flags: ReportFlags) => {
      if (!flags.out && !flags.openface && !flags.plots)
        throw new AustreamError('ARGUMENT_INVALID', 'report has nowhere to go', {
          fix: 'give --out report.html, --plots folder, --openface table.csv, or several of them',
        });
      const recording = await record(flags);
      if (flags.openface) await writeTable(recording, flags.openface);
      if (flags.out)
        await writeFile(flags.out, reportHtml(recording, { source: flags.from, made: new Date() }));
      if (flags.plots) await writePlots([...recording.tracks.values()], flags.plots);
      const frames = [...recording.tracks.values()].reduce((sum, { frames }) => sum + frames, 0);
      process.stderr.write(
        `${recording.cameras.length} camera(s), ${recording.tracks.size} face(s), ${frames} instants, ` +
          `${recording.gaps.length} gap(s)\n`,
      );
    });
}

async function record(flags: ReportFlags): Promise<Recording> {
  const recording = new Recording({ camera: flags.camera, track: flags.track });
  const file = flags.from === '-' || existsSync(flags.from) || (!flags.brokers && !flags.config);
  if (file) await readFile(flags.from, recording);
  else await readTopic(flags.from, brokersOf(flags), recording);
  if (recording.tracks.size === 0)
    throw new AustreamError('ARGUMENT_INVALID', `${flags.from} holds no scored face that was asked for`, {
      fix: 'check --from, --camera and --track',
    });
  return recording;
}

function brokersOf({ config, brokers }: ReportFlags): KafkaOptions {
  const kafka = config ? loadConfig(config).kafka : kafkaOptions.parse({ embedded: true });
  return brokers ? { ...kafka, brokers: brokers.split(',').map((each) => each.trim()) } : kafka;
}

/** OpenFace writes a table per video. */
async function writeTable(recording: Recording, path: string): Promise<void> {
  if (recording.cameras.length > 1)
    throw new AustreamError('ARGUMENT_INVALID', `--openface: there are ${recording.cameras.length} cameras`, {
      fix: `choose one with --camera: ${recording.cameras.join(', ')}`,
    });
  await pipeline(Readable.from(lines(openFaceCsv(recording))), createWriteStream(path));
}

/** `CAMERA_EPOCH_FACE.png`, one by one: a picture takes memory. */
async function writePlots(tracks: readonly RecordedTrack[], folder: string): Promise<void> {
  const { plotPng } = await import('../report/plot.ts');
  await mkdir(folder, { recursive: true });
  for (const track of tracks) {
    // Of `austream score` the camera is a file, whose name may have slashes.
    const camera = encodeURIComponent(track.cameraId);
    await writeFile(join(folder, `${camera}_${track.epoch}_${track.trackId}.png`), await plotPng(track));
  }
}

function* lines(rows: Iterable<string>): Generator<string> {
  for (const row of rows) yield `${row}\n`;
}

function track(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a face’s number.');
  return value;
}
