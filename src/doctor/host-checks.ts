import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import type { Config } from '../config/schema.ts';
import type { AustreamError } from '../errors.ts';
import { probeBackends } from '../infer/engine/backend-probe.ts';
import { openModelSource } from '../infer/engine/model-source.ts';
import { describeSandbox, missingSandbox, type SandboxMode, sandboxSupport } from '../sandbox/support.ts';
import { GpuReader } from '../telemetry/gpu.ts';

/** The result of one check. */
export interface Finding {
  readonly name: string;
  /** note: optional, or unknown. */
  readonly state: 'ok' | 'note' | 'missing';
  readonly detail: string;
  readonly fix?: string;
}
export type Check = () => Promise<Finding>;

const execFileAsync = promisify(execFile);

/** GStreamer elements per feature, and the Debian package gstreamer1.0-plugins-… that provides them. */
const ELEMENTS = [
  { feature: 'RTSP', elements: ['rtspsrc', 'rtph264depay', 'rtph265depay', 'rtpjpegdepay'], plugins: 'good' },
  { feature: 'decoding', elements: ['decodebin', 'videoconvert', 'appsink'], plugins: 'base' },
  { feature: 'H.264 and H.265', elements: ['h264parse', 'h265parse', 'gdppay'], plugins: 'bad' },
  { feature: 'MJPEG and MP4 files', elements: ['jpegdec', 'qtdemux'], plugins: 'good' },
] as const;

const NATIVE_MODULES: Readonly<Record<string, () => Promise<unknown>>> = {
  'gstreamer-superficial': async () => createRequire(import.meta.url)('gstreamer-superficial'),
  'node-rdkafka': () => import('node-rdkafka'),
  'onnxruntime-node': () => import('../infer/engine/onnx/runtime.ts'),
};

/** Checks of this machine: runtime, GStreamer, native modules, model, GPU, clock. */
export function hostChecks(config: Config | undefined): Check[] {
  return [
    async () => ({ name: 'Node', state: 'ok', detail: process.version }),
    ...ELEMENTS.map(
      ({ feature, elements, plugins }) =>
        () =>
          checkElements(feature, elements, `gstreamer1.0-plugins-${plugins}`),
    ),
    () => checkElements('software decoders', ['avdec_h264', 'avdec_h265'], 'gstreamer1.0-libav'),
    checkHardwareDecoders,
    ...Object.entries(NATIVE_MODULES).map(
      ([name, load]) =>
        () =>
          checkNativeModule(name, load),
    ),
    () => checkModel(config?.infer.model),
    () => checkSandbox(config?.ingest.sandbox ?? 'auto'),
    checkGpu,
    checkSimulator,
    checkClock,
  ];
}

async function checkElements(
  feature: string,
  elements: readonly string[],
  debianPackage: string,
): Promise<Finding> {
  const name = `GStreamer, ${feature}`;
  const installed = await Promise.all(elements.map(hasElement));
  const missing = elements.filter((_, index) => !installed[index]);
  if (missing.length === 0) return { name, state: 'ok', detail: elements.join(', ') };
  return {
    name,
    state: 'missing',
    detail: `no ${missing.join(', ')}`,
    fix: `apt-get install gstreamer1.0-tools ${debianPackage}`,
  };
}

function hasElement(element: string): Promise<boolean> {
  return execFileAsync('gst-inspect-1.0', ['--exists', element]).then(
    () => true,
    () => false,
  );
}

async function checkHardwareDecoders(): Promise<Finding> {
  const name = 'GStreamer, hardware decoders';
  const decoders = { nvh264dec: 'NVDEC', vah264dec: 'VA-API' };
  const available: string[] = [];
  for (const [element, api] of Object.entries(decoders)) if (await hasElement(element)) available.push(api);
  if (available.length > 0) return { name, state: 'ok', detail: available.join(', ') };
  return {
    name,
    state: 'note',
    detail: 'none: video is decoded on the CPU',
    fix: 'for many cameras use a host with NVDEC or VA-API',
  };
}

async function checkNativeModule(name: string, load: () => Promise<unknown>): Promise<Finding> {
  try {
    await load();
    return { name, state: 'ok', detail: 'loads' };
  } catch (error) {
    const [detail = ''] = (error as Error).message.split('\n');
    return { name, state: 'missing', detail, fix: 'run make setup; its last lines name the failure' };
  }
}

async function checkModel(folder: string | undefined): Promise<Finding> {
  const name = 'model';
  try {
    const source = await openModelSource({ folder });
    source.close();
    const trained = source.manifest?.trained ? '' : '; its weights are random, so its scores mean nothing';
    return { name, state: 'ok', detail: `${source.name}, checksums match${trained}` };
  } catch (error) {
    const { message, fix } = error as AustreamError;
    return { name, state: 'missing', detail: message, ...(fix ? { fix } : {}) };
  }
}

/** What a camera process on this machine is kept from. */
async function checkSandbox(mode: SandboxMode): Promise<Finding> {
  const name = 'sandbox of camera processes';
  if (mode === 'off')
    return { name, state: 'note', detail: 'ingest.sandbox is off', fix: 'set ingest.sandbox: auto' };
  const found = sandboxSupport();
  const missing = missingSandbox(found);
  const detail = [...(found === null ? [] : [describeSandbox(found)]), ...missing].join('; ');
  if (missing.length === 0) return { name, state: 'ok', detail };
  return {
    name,
    state: mode === 'required' ? 'missing' : 'note',
    detail,
    fix: 'run make setup, and use a kernel with Landlock (Linux 6.7) and seccomp',
  };
}

async function checkGpu(): Promise<Finding> {
  const name = 'GPU';
  const { nvidiaGpu, onnxCuda, tfjsNodeGpu } = probeBackends();
  const gpus = await new GpuReader().gpus();
  if (!nvidiaGpu && gpus.length === 0)
    return {
      name,
      state: 'note',
      detail: 'none: models run on the CPU',
      fix: 'for many faces use a host with an NVIDIA GPU',
    };
  const memory = gpus
    .map(({ index, totalBytes }) => `GPU ${index}: ${(totalBytes / 2 ** 30).toFixed(0)} GiB`)
    .join(', ');
  if (onnxCuda || tfjsNodeGpu) return { name, state: 'ok', detail: memory || 'NVIDIA' };
  return {
    name,
    state: 'missing',
    detail: `${memory || 'NVIDIA'}, but no engine can use it`,
    fix: 'bin/onnxruntime-cuda',
  };
}

async function checkSimulator(): Promise<Finding> {
  const name = 'camera simulator';
  const script =
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer";
  return execFileAsync('/usr/bin/python3', ['-c', script]).then(
    () => ({ name, state: 'ok', detail: 'GstRtspServer for Python' }),
    () => ({
      name,
      state: 'note',
      detail: 'not installed: austream demo and simulate do not work',
      fix: 'apt-get install python3-gi gir1.2-gst-rtsp-server-1.0',
    }),
  );
}

/** Capture times of several hosts are comparable only when their clocks are synchronized. */
async function checkClock(): Promise<Finding> {
  const name = 'clock';
  const synchronized = { name, state: 'ok', detail: 'synchronized' } as const;
  if (existsSync('/run/systemd/timesync/synchronized')) return synchronized;
  const [timedatectl, chronyc] = await Promise.all([
    commandOutput('timedatectl', ['show', '-p', 'NTPSynchronized', '--value']),
    commandOutput('chronyc', ['-c', 'tracking']),
  ]);
  if (timedatectl === 'yes' || chronyc?.includes('Normal')) return synchronized;
  const known = timedatectl === 'no' || chronyc !== null;
  return {
    name,
    state: 'note',
    detail: known
      ? 'not synchronized'
      : 'unknown (neither timesyncd nor chrony here; in a container check the host)',
    fix: 'run an NTP client (systemd-timesyncd, chrony) here, and NTP on the cameras',
  };
}

/** Standard output of a command, trimmed; null when it fails. */
function commandOutput(command: string, args: readonly string[]): Promise<string | null> {
  return execFileAsync(command, args, { timeout: 3_000 }).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
}
