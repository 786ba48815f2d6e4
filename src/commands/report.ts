import { existsSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { OutputFile, outputError, writeOutput } from '../app/output-file.ts';
import { ResourceStack } from '../app/resource-stack.ts';
import { wallMs } from '../clock.ts';
import { loadConfig } from '../config/schema.ts';
import { AustreamError } from '../errors.ts';
import { type KafkaOptions, kafkaOptions } from '../kafka/options.ts';
import { readEventFile } from '../report/event-file.ts';
import { readEventTopic } from '../report/event-topic.ts';
import { reportHtml } from '../report/html.ts';
import { openFaceCsv } from '../report/openface.ts';
import { type RecordedTrack, Recording } from '../report/recording.ts';
import { brokersFlag } from './brokers-flag.ts';

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

/** `austream report`: a report, plots or a table of recorded events, to share with others. */
export function reportCommand(): Command {
  return new Command('report')
    .description(
      'Make a report (HTML), plots (PNG) or a table with the columns of OpenFace from recorded events',
    )
    .requiredOption(
      '--from <source>',
      'file of events (.ndjson, .avro; - for standard input) or a topic (au.frames)',
    )
    .option('-o, --out <file>', 'write the report here: a self-contained HTML file')
    .option('--plots <folder>', 'write plots here: one PNG with the time courses of each face')
    .option('--openface <file>', 'write the table here: CSV with OpenFace’s column names')
    .option('--camera <id>', 'only this camera')
    .option('--track <n>', 'only this track', parseTrackId)
    .option('-c, --config <file>', 'take the brokers from this config file')
    .option('--brokers <host:port,…>', 'brokers of the topic')
    .action(async (flags: ReportFlags) => {
      if (!flags.out && !flags.openface && !flags.plots)
        throw new AustreamError('ARGUMENT_INVALID', 'report needs an output', {
          fix: 'give --out report.html, --plots folder, --openface table.csv, or several of them',
        });
      const recording = await readRecording(flags);
      if (flags.openface) await writeTable(recording, flags.openface);
      if (flags.out)
        await writeOutput(
          '--out',
          flags.out,
          reportHtml(recording, { source: flags.from, made: new Date(wallMs()) }),
        );
      if (flags.plots) await writePlots([...recording.tracks.values()], flags.plots);
      const frameCount = [...recording.tracks.values()].reduce((sum, track) => sum + track.frameCount, 0);
      process.stderr.write(
        `${recording.cameras.length} camera(s), ${recording.tracks.size} face(s), ${frameCount} frames, ` +
          `${recording.gaps.length} gap(s)\n`,
      );
    });
}

/** Throws ARGUMENT_INVALID when no scored face matches the filters. */
async function readRecording(flags: ReportFlags): Promise<Recording> {
  const recording = new Recording({ camera: flags.camera, track: flags.track });
  if (isDirectory(flags.from))
    throw new AustreamError('ARGUMENT_INVALID', `--from ${flags.from} is a folder`, {
      fix: 'give a file of events (.ndjson, .avro)',
    });
  const isFile = flags.from === '-' || existsSync(flags.from) || (!flags.brokers && !flags.config);
  if (isFile) await readEventFile(flags.from, recording);
  else await readEventTopic(flags.from, kafkaFromFlags(flags), recording);
  if (recording.tracks.size === 0)
    throw new AustreamError('ARGUMENT_INVALID', `${flags.from} has no scored face that matches`, {
      fix: 'check --from, --camera and --track',
    });
  return recording;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function kafkaFromFlags({ config, brokers }: ReportFlags): KafkaOptions {
  const kafka = config ? loadConfig(config).kafka : kafkaOptions.parse({ embedded: true });
  return brokers ? { ...kafka, brokers: brokersFlag(brokers) } : kafka;
}

/** Writes the table of one camera, as OpenFace writes one table per video. Throws ARGUMENT_INVALID for several cameras. */
async function writeTable(recording: Recording, path: string): Promise<void> {
  if (recording.cameras.length > 1)
    throw new AustreamError(
      'ARGUMENT_INVALID',
      `--openface takes one camera, not ${recording.cameras.length}`,
      {
        fix: `choose one with --camera: ${recording.cameras.join(', ')}`,
      },
    );
  const table = new OutputFile('--openface', path);
  const resources = new ResourceStack();
  resources.add('table', () => table.close());
  await resources.closeAfter(async () => table.write(openFaceCsv(recording)));
}

/** Writes `CAMERA_EPOCH_TRACK.png` for each track, one at a time to bound memory. */
async function writePlots(tracks: readonly RecordedTrack[], folder: string): Promise<void> {
  const { plotPng } = await import('../report/plot.ts');
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw outputError('--plots', folder, cause);
  });
  for (const track of tracks) {
    // With events of `austream score`, the camera id is a path, which may contain slashes.
    const camera = encodeURIComponent(track.cameraId);
    const file = join(folder, `${camera}_${track.epoch}_${track.trackId}.png`);
    await writeOutput('--plots', file, await plotPng(track));
  }
}

function parseTrackId(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a track id: an integer from 1.');
  return value;
}
