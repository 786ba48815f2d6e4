import { fileURLToPath } from 'node:url';
import type { FrameFaces } from '../../src/domain/face.ts';
import type { Gap } from '../../src/domain/gap.ts';
import { FAULT_KINDS, injectFault, seededRandom } from '../../src/simulate/faults.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { movingClip } from './clips.ts';
import { Recorder } from './recorder.ts';
import { ThrottledProxy } from './throttled-proxy.ts';

const GAP_SECONDS = 1;
const PASSWORD = 'ch4os-c4nary';

interface ChaosOptions {
  readonly cameras: number;
  readonly seconds: number;
  readonly seed: number;
  /** Frame rate of the cameras. */
  readonly fps?: number;
  /** Receives a line per fault. */
  readonly log?: (line: string) => void;
}

/** A fault of one camera during which no frames arrive. Times are Unix microseconds of this host. */
interface Outage {
  readonly cameraId: string;
  readonly kind: string;
  readonly from: number;
  readonly to: number;
}

interface ChaosResult {
  readonly faults: Readonly<Record<string, number>>;
  readonly frames: number;
  readonly gaps: number;
  readonly epochs: number;
  /** Longest recovery: from the end of an outage to the camera's next frame, in seconds. */
  readonly slowestRecovery: number;
  /** Broken invariants; empty if all hold. */
  readonly violations: readonly string[];
}

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const now = () => Date.now() * 1000;

/**
 * Runs cameras under seeded random faults, one after another on each camera: streams that stop, freeze, slow down or
 * lose packets; resolutions and clocks that change; networks with half of the needed bandwidth; children and servers
 * that are killed. Afterwards compares the reported gaps and epochs with the faults and with the received frames.
 */
export async function runChaos({
  cameras,
  seconds,
  seed,
  fps = 25,
  log = () => {},
}: ChaosOptions): Promise<ChaosResult> {
  const source = fileURLToPath(movingClip(`chaos-${seed}.mp4`, { fps, frames: 2 * fps }));
  const setup = { sources: [source], user: 'viewer', password: PASSWORD };
  // One server per camera: killing it affects no other camera.
  const simulators = await Promise.all(Array.from({ length: cameras }, () => Simulator.start(setup)));
  const proxies = await Promise.all(simulators.map(({ port }) => ThrottledProxy.start(port)));
  const recorders = proxies.map(
    ({ port }, index) =>
      new Recorder(
        {
          url: `rtsp://127.0.0.1:${port}${path}`,
          id: `cam${index + 1}`,
          username: 'viewer',
          password: PASSWORD,
          transport: transport(index),
        },
        { gapSeconds: GAP_SECONDS, stallSeconds: 2, backoff: { firstSeconds: 0.5, maxSeconds: 4 } },
        { crops: false },
      ),
  );
  const outages: Outage[] = [];
  const faults: Record<string, number> = {};
  try {
    await Promise.all(
      recorders.map((camera) => camera.until('the first frames', () => camera.faces.length >= 10, 120_000)),
    );
    const end = performance.now() + seconds * 1000;
    await Promise.all(
      recorders.map(async (camera, index) => {
        const random = seededRandom(seed * 1000 + index);
        const { cameraId } = camera.faces[0]!;
        while (performance.now() < end) {
          await sleep(1 + 4 * random());
          const kinds = KINDS.filter((kind) => kind !== 'throttle' || transport(index) === 'tcp');
          const kind = kinds[Math.floor(random() * kinds.length)]!;
          const duration = 2 + 3 * random();
          log(`${cameraId} ${kind} ${duration.toFixed(1)} s`);
          faults[kind] = (faults[kind] ?? 0) + 1;
          const from = now();
          if (kind === 'server') {
            const { pid, port, exited } = simulators[index]!;
            process.kill(pid, 'SIGKILL');
            await exited;
            await sleep(duration);
            simulators[index] = await Simulator.start({ ...setup, port });
          } else if (kind === 'throttle') {
            proxies[index]!.throttle(0.5);
            await sleep(duration);
            proxies[index]!.unthrottle();
          } else if (kind === 'kill') {
            if (camera.supervisor.pid !== undefined) process.kill(camera.supervisor.pid, 'SIGKILL');
          } else await injectFault(simulators[index]!, { path, kind, seconds: duration }, random, SIZES);
          if (OUTAGES.has(kind)) outages.push({ cameraId, kind, from, to: now() });
          const before = camera.faces.length;
          await camera.until(`${cameraId} recovers from ${kind}`, () => camera.faces.length > before + 5);
        }
      }),
    );
  } finally {
    await Promise.all(recorders.map(({ supervisor }) => supervisor.stop()));
    await Promise.all(simulators.map((simulator) => simulator.stop()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }
  const checked = recorders.map((camera, index) =>
    check(
      camera,
      outages.filter(({ cameraId }) => cameraId === `cam${index + 1}`),
    ),
  );
  return {
    faults,
    frames: recorders.reduce((sum, { faces }) => sum + faces.length, 0),
    gaps: recorders.reduce((sum, camera) => sum + gapsOf(camera).length, 0),
    epochs: recorders.reduce((sum, { epochs }) => sum + epochs.length, 0),
    slowestRecovery: Math.max(0, ...checked.map((result) => result.slowestRecovery)),
    violations: checked.flatMap((result) => result.violations),
  };
}

const KINDS = [...FAULT_KINDS, 'kill', 'server', 'throttle'] as const;
const SIZES: readonly (readonly [number, number])[] = [
  [320, 240],
  [240, 180],
];
const transport = (index: number) => (index % 2 ? 'udp' : 'tcp');
/** Faults during which no frames arrive. */
const OUTAGES: ReadonlySet<string> = new Set(['stop', 'freeze', 'kill', 'server']);
/** Each server has a single camera. */
const path = '/cam1';

function gapsOf(camera: Recorder): Gap[] {
  return camera.statuses.flatMap(({ gap }) => (gap === null ? [] : [gap]));
}

function check(
  camera: Recorder,
  outages: readonly Outage[],
): { slowestRecovery: number; violations: string[] } {
  const violations: string[] = [];
  const id = camera.faces[0]!.cameraId;
  for (const [index, faces] of camera.faces.slice(1).entries()) {
    const before = camera.faces[index]!;
    if (faces.epoch < before.epoch) violations.push(`${id}: epoch goes back`);
    if (faces.epoch === before.epoch && faces.captureTime <= before.captureTime)
      violations.push(`${id}: captureTime does not rise at frame ${faces.frame} of ${faces.epoch}`);
  }
  // Each gap between frames has exactly one gap event.
  const expectedGaps = camera.faces
    .slice(1)
    .flatMap((faces, index) => (isGap(camera.faces[index]!, faces) ? [faces] : []));
  const gaps = gapsOf(camera);
  if (expectedGaps.length !== gaps.length)
    violations.push(`${id}: ${expectedGaps.length} gaps in the frames, ${gaps.length} gap events`);
  let slowestRecovery = 0;
  for (const { kind, from, to } of outages) {
    const next = camera.faces.find(({ receivedAt }) => receivedAt > to + 100_000);
    if (next === undefined) violations.push(`${id}: no recovery from ${kind}`);
    else slowestRecovery = Math.max(slowestRecovery, (next.receivedAt - to) / 1e6);
    // Frames in flight may still arrive for a moment; the gap begins within two seconds of the fault.
    const reported = gaps.some((gap) => covers(gap, from, camera));
    if (kind !== 'kill' && !reported) violations.push(`${id}: no gap event for a ${kind} at ${from}`);
  }
  if (JSON.stringify(camera.statuses).includes(PASSWORD))
    violations.push(`${id}: a status contains the password`);
  const ended = new Set(camera.endedEpochs);
  if (ended.size !== camera.endedEpochs.length || camera.epochs.some((epoch) => !ended.has(epoch)))
    violations.push(`${id}: not every epoch ended exactly once`);
  return { slowestRecovery, violations };
}

function isGap(before: FrameFaces, after: FrameFaces): boolean {
  return before.epoch === after.epoch
    ? after.captureTime - before.captureTime > GAP_SECONDS * 1e6
    : after.receivedAt - before.receivedAt > GAP_SECONDS * 1e6;
}

/**
 * Whether the gap is that of a fault at `faultTime`: its last frame arrived at most two seconds after the fault, the next
 * one after the fault. On an overloaded machine a gap may begin before the fault and include it. Gaps are in
 * capture time, which a camera's clock may shift by a few seconds before it is rejected: frames are found by either time.
 */
function covers(gap: Gap, faultTime: number, camera: Recorder): boolean {
  const hasTime =
    (time: number) =>
    ({ captureTime, receivedAt }: FrameFaces) =>
      captureTime === time || receivedAt === time;
  const before = camera.faces.findLast(hasTime(gap.from));
  const after = camera.faces.find(hasTime(gap.to));
  return (
    before !== undefined &&
    after !== undefined &&
    before.receivedAt < faultTime + 2e6 &&
    after.receivedAt > faultTime
  );
}
