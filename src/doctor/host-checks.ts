import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Config } from '../config/schema.ts';
import type { AustreamError } from '../errors.ts';
import { probeBackends } from '../infer/engine/backend-probe.ts';
import { openModelSource } from '../infer/engine/model-source.ts';
import { GpuReader } from '../telemetry/gpu.ts';

export interface Finding {
  readonly name: string;
  /** note: works without, or could not be told. */
  readonly state: 'ok' | 'note' | 'missing';
  readonly detail: string;
  readonly fix?: string;
}
export type Check = () => Promise<Finding>;

const run = promisify(execFile);

/** GStreamer elements without which no camera works, or none of a kind, and the Debian package of each. */
const ELEMENTS = [
  { need: 'RTSP', elements: ['rtspsrc', 'rtph264depay', 'rtph265depay', 'rtpjpegdepay'], from: 'good' },
  { need: 'decoding', elements: ['decodebin', 'videoconvert', 'appsink'], from: 'base' },
  { need: 'H.264 and H.265', elements: ['h264parse', 'h265parse', 'gdppay'], from: 'bad' },
  { need: 'MJPEG and MP4 files', elements: ['jpegdec', 'qtdemux'], from: 'good' },
] as const;

/** What this machine has. */
export function hostChecks(config: Config | undefined): Check[] {
  return [
    async () => ({ name: 'Node', state: 'ok', detail: process.version }),
    ...ELEMENTS.map(
      ({ need, elements, from }) =>
        () =>
          gstreamer(need, elements, `gstreamer1.0-plugins-${from}`),
    ),
    () => gstreamer('software decoders', ['avdec_h264', 'avdec_h265'], 'gstreamer1.0-libav'),
    hardwareDecoders,
    ...['gstreamer-superficial', 'node-rdkafka', 'onnxruntime-node'].map((name) => () => nativePart(name)),
    () => model(config?.infer.model),
    gpu,
    simulator,
    clock,
  ];
}

async function gstreamer(need: string, elements: readonly string[], from: string): Promise<Finding> {
  const name = `GStreamer, ${need}`;
  const there = await Promise.all(elements.map(hasElement));
  const absent = elements.filter((_, index) => !there[index]);
  if (absent.length === 0) return { name, state: 'ok', detail: elements.join(', ') };
  return {
    name,
    state: 'missing',
    detail: `no ${absent.join(', ')}`,
    fix: `apt-get install gstreamer1.0-tools ${from}`,
  };
}

function hasElement(element: string): Promise<boolean> {
  return run('gst-inspect-1.0', ['--exists', element]).then(
    () => true,
    () => false,
  );
}

async function hardwareDecoders(): Promise<Finding> {
  const name = 'GStreamer, hardware decoders';
  const known = { nvh264dec: 'NVDEC', vah264dec: 'VA-API' };
  const found: string[] = [];
  for (const [element, kind] of Object.entries(known)) if (await hasElement(element)) found.push(kind);
  if (found.length > 0) return { name, state: 'ok', detail: found.join(', ') };
  return {
    name,
    state: 'note',
    detail: 'none: decoding costs CPU',
    fix: 'many cameras? use a host with NVDEC or VA-API',
  };
}

async function nativePart(name: string): Promise<Finding> {
  try {
    await import(name);
    return { name, state: 'ok', detail: 'loads' };
  } catch (error) {
    const [detail = ''] = (error as Error).message.split('\n');
    return { name, state: 'missing', detail, fix: 'make setup (its last lines say what failed)' };
  }
}

async function model(folder: string | undefined): Promise<Finding> {
  const name = 'model';
  try {
    const source = await openModelSource({ folder });
    source.close();
    const trained = source.manifest?.trained ? '' : '; its weights are random: scores mean nothing';
    return { name, state: 'ok', detail: `${source.name}, checksums match${trained}` };
  } catch (error) {
    const { message, fix } = error as AustreamError;
    return { name, state: 'missing', detail: message, ...(fix ? { fix } : {}) };
  }
}

async function gpu(): Promise<Finding> {
  const name = 'GPU';
  const { nvidiaGpu, onnxCuda, tfjsNodeGpu } = probeBackends();
  const gpus = await new GpuReader().gpus();
  if (!nvidiaGpu && gpus.length === 0)
    return {
      name,
      state: 'note',
      detail: 'none: models run on the CPU',
      fix: 'many faces? use a host with an NVIDIA GPU',
    };
  const memory = gpus
    .map(({ index, totalBytes }) => `GPU ${index}: ${(totalBytes / 2 ** 30).toFixed(0)} GiB`)
    .join(', ');
  if (onnxCuda || tfjsNodeGpu) return { name, state: 'ok', detail: memory || 'NVIDIA' };
  return {
    name,
    state: 'missing',
    detail: `${memory || 'NVIDIA'}, but no engine that uses it`,
    fix: 'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node',
  };
}

async function simulator(): Promise<Finding> {
  const name = 'camera simulator';
  const script =
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer";
  return run('/usr/bin/python3', ['-c', script]).then(
    () => ({ name, state: 'ok', detail: 'GstRtspServer for Python' }),
    () => ({
      name,
      state: 'note',
      detail: 'missing: no demo, no simulate',
      fix: 'apt-get install python3-gi gir1.2-gst-rtsp-server-1.0',
    }),
  );
}

/** Capture times of different hosts can be compared only where their clocks are kept. */
async function clock(): Promise<Finding> {
  const name = 'clock';
  const kept = { name, state: 'ok', detail: 'synchronized' } as const;
  if (existsSync('/run/systemd/timesync/synchronized')) return kept;
  const answers = await Promise.all([
    said('timedatectl', ['show', '-p', 'NTPSynchronized', '--value']),
    said('chronyc', ['-c', 'tracking']),
  ]);
  if (answers[0] === 'yes' || answers[1]?.includes('Normal')) return kept;
  const known = answers[0] === 'no' || answers[1] !== null;
  return {
    name,
    state: 'note',
    detail: known
      ? 'not synchronized'
      : 'cannot be told (no timesyncd, no chrony; in a container, ask the host)',
    fix: 'run an NTP client (systemd-timesyncd, chrony), on the cameras too',
  };
}

/** What a command prints; null where it cannot run. */
function said(command: string, args: readonly string[]): Promise<string | null> {
  return run(command, args, { timeout: 3_000 }).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
}
