import { fileURLToPath } from 'node:url';
import type { FrameFaces } from '../../src/domain/face.ts';
import type { Gap } from '../../src/domain/gap.ts';
import { FAULT_KINDS, injectFault, seededRandom } from '../../src/simulate/faults.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { Bottleneck } from './bottleneck.ts';
import { movingClip } from './clips.ts';
import { Recorder } from './recorder.ts';

const GAP_SECONDS = 1;
const PASSWORD = 'ch4os-c4nary';

export interface ChaosOptions {
  readonly cameras: number;
  readonly seconds: number;
  readonly seed: number;
  /** Of the cameras' streams. */
  readonly fps?: number;
  /** Hears of each fault. */
  readonly log?: (line: string) => void;
}

/** What one camera went through. Times are Unix microseconds of this host. */
interface Outage {
  readonly cameraId: string;
  readonly kind: string;
  readonly from: number;
  readonly to: number;
}

export interface ChaosResult {
  readonly faults: Readonly<Record<string, number>>;
  readonly frames: number;
  readonly gaps: number;
  readonly epochs: number;
  /** Longest time from a source's return to the camera's next frame, in seconds. */
  readonly slowestReturn: number;
  /** Everything that must not be; empty is well. */
  readonly violations: readonly string[];
}

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const now = () => Date.now() * 1000;

/**
 * Cameras and their children under seeded random faults, one after the other on each camera: streams that stop, freeze,
 * slow down or lose packets, resolutions and clocks that change, networks that carry half of what they must, children
 * and servers that are killed. Checks afterwards what they told against what was done to them and against the frames
 * that came.
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
  // One server each: a server that is killed is the fault of its camera alone.
  const simulators = await Promise.all(Array.from({ length: cameras }, () => Simulator.start(setup)));
  const ways = await Promise.all(simulators.map(({ port }) => Bottleneck.before(port)));
  const watched = ways.map(
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
      watched.map((camera) => camera.until('the first frames', () => camera.faces.length >= 10, 120_000)),
    );
    const end = performance.now() + seconds * 1000;
    await Promise.all(
      watched.map(async (camera, index) => {
        const random = seededRandom(seed * 1000 + index);
        const { cameraId } = camera.faces[0]!;
        while (performance.now() < end) {
          await sleep(1 + 4 * random());
          const kinds = KINDS.filter((kind) => kind !== 'narrow' || transport(index) === 'tcp');
          const kind = kinds[Math.floor(random() * kinds.length)]!;
          const length = 2 + 3 * random();
          log(`${cameraId} ${kind} ${length.toFixed(1)} s`);
          faults[kind] = (faults[kind] ?? 0) + 1;
          const from = now();
          if (kind === 'server') {
            const { pid, port, exited } = simulators[index]!;
            process.kill(pid, 'SIGKILL');
            await exited;
            await sleep(length);
            simulators[index] = await Simulator.start({ ...setup, port });
          } else if (kind === 'narrow') {
            ways[index]!.narrow(0.5);
            await sleep(length);
            ways[index]!.widen();
          } else if (kind === 'kill') {
            if (camera.supervisor.pid !== undefined) process.kill(camera.supervisor.pid, 'SIGKILL');
          } else await injectFault(simulators[index]!, { path, kind, seconds: length }, random, SIZES);
          if (OUTAGES.has(kind)) outages.push({ cameraId, kind, from, to: now() });
          const back = camera.faces.length;
          await camera.until(`${cameraId} back after ${kind}`, () => camera.faces.length > back + 5, 60_000);
        }
      }),
    );
  } finally {
    await Promise.all(watched.map(({ supervisor }) => supervisor.stop()));
    await Promise.all(simulators.map((simulator) => simulator.stop()));
    await Promise.all(ways.map((way) => way.close()));
  }
  const checked = watched.map((camera, index) =>
    check(
      camera,
      outages.filter(({ cameraId }) => cameraId === `cam${index + 1}`),
    ),
  );
  return {
    faults,
    frames: watched.reduce((sum, { faces }) => sum + faces.length, 0),
    gaps: watched.reduce((sum, camera) => sum + gapsOf(camera).length, 0),
    epochs: watched.reduce((sum, { epochs }) => sum + epochs.length, 0),
    slowestReturn: Math.max(0, ...checked.map((one) => one.slowestReturn)),
    violations: checked.flatMap((one) => one.violations),
  };
}

const KINDS = [...FAULT_KINDS, 'kill', 'server', 'narrow'] as const;
const SIZES: readonly (readonly [number, number])[] = [
  [320, 240],
  [240, 180],
];
const transport = (index: number) => (index % 2 ? 'udp' : 'tcp');
/** After these nothing comes for a while. */
const OUTAGES: ReadonlySet<string> = new Set(['stop', 'freeze', 'kill', 'server']);
/** Every server has one camera. */
const path = '/cam1';

function gapsOf(camera: Recorder): Gap[] {
  return camera.statuses.flatMap(({ gap }) => (gap === null ? [] : [gap]));
}

function check(
  camera: Recorder,
  outages: readonly Outage[],
): { slowestReturn: number; violations: string[] } {
  const violations: string[] = [];
  const id = camera.faces[0]!.cameraId;
  for (const [index, faces] of camera.faces.slice(1).entries()) {
    const before = camera.faces[index]!;
    if (faces.epoch < before.epoch) violations.push(`${id}: epoch goes back`);
    if (faces.epoch === before.epoch && faces.captureTime <= before.captureTime)
      violations.push(`${id}: captureTime does not rise at frame ${faces.frame} of ${faces.epoch}`);
  }
  // Every hole in the frames has one gap event, and there is none without a hole.
  const holes = camera.faces
    .slice(1)
    .flatMap((faces, index) => (isHole(camera.faces[index]!, faces) ? [faces] : []));
  const gaps = gapsOf(camera);
  if (holes.length !== gaps.length)
    violations.push(`${id}: ${holes.length} holes, ${gaps.length} gap events`);
  let slowestReturn = 0;
  for (const { kind, from, to } of outages) {
    const next = camera.faces.find(({ receivedAt }) => receivedAt > to + 100_000);
    if (next === undefined) violations.push(`${id}: never back after ${kind}`);
    else slowestReturn = Math.max(slowestReturn, (next.receivedAt - to) / 1e6);
    // What was on its way may still come for a moment; then there is a hole, told of within two seconds of the truth.
    const told = gaps.some((gap) => covers(gap, from, camera));
    if (kind !== 'kill' && !told) violations.push(`${id}: no gap event for a ${kind} at ${from}`);
  }
  if (JSON.stringify(camera.statuses).includes(PASSWORD)) violations.push(`${id}: the password shows`);
  const ended = new Set(camera.endedEpochs);
  if (ended.size !== camera.endedEpochs.length || camera.epochs.some((epoch) => !ended.has(epoch)))
    violations.push(`${id}: epochs and their ends differ`);
  return { slowestReturn, violations };
}

function isHole(before: FrameFaces, after: FrameFaces): boolean {
  return before.epoch === after.epoch
    ? after.captureTime - before.captureTime > GAP_SECONDS * 1e6
    : after.receivedAt - before.receivedAt > GAP_SECONDS * 1e6;
}

/**
 * The hole was told of from its last frame on, at most two seconds after the truth. A machine that is overloaded may have
 * had a hole already when the fault came: that is then one with it. Gaps are told in capture time, which a camera's
 * clock may shift by a few seconds before it is disbelieved.
 */
function covers(gap: Gap, truth: number, camera: Recorder): boolean {
  const at =
    (time: number) =>
    ({ captureTime, receivedAt }: FrameFaces) =>
      captureTime === time || receivedAt === time;
  const before = camera.faces.findLast(at(gap.from));
  const after = camera.faces.find(at(gap.to));
  return (
    before !== undefined && after !== undefined && before.receivedAt < truth + 2e6 && after.receivedAt > truth
  );
}
