import type { Simulator } from './simulator.ts';

/** What befalls a simulated camera by itself; clocks are wrong for good, resolutions too, the rest passes. */
export const FAULT_KINDS = ['stop', 'freeze', 'loss', 'slow', 'resize', 'clock'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface InjectedFault {
  readonly path: string;
  readonly kind: FaultKind;
  /** How long it lasts. */
  readonly seconds: number;
}

const SIZES: readonly (readonly [number, number])[] = [
  [640, 360],
  [480, 270],
];

/** Lehmer's generator, 0…1: the same numbers for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Does one thing to a camera and undoes it after `seconds`; ends at once where the simulator is gone. */
export async function injectFault(
  simulator: Simulator,
  { path, kind, seconds }: InjectedFault,
  random: () => number,
  sizes = SIZES,
): Promise<void> {
  const lasting = () => Promise.race([sleep(seconds), simulator.exited]);
  switch (kind) {
    case 'stop':
      await simulator.fault({ op: 'stop', path });
      await lasting();
      return simulator.fault({ op: 'start', path });
    case 'freeze':
      await simulator.fault({ op: 'freeze', path, on: true });
      await lasting();
      return simulator.fault({ op: 'freeze', path, on: false });
    case 'loss':
      await simulator.fault({ op: 'loss', path, probability: 0.05 });
      await lasting();
      return simulator.fault({ op: 'loss', path, probability: 0 });
    case 'slow':
      await simulator.fault({ op: 'slow', path, factor: 2 });
      await lasting();
      return simulator.fault({ op: 'slow', path, factor: 1 });
    case 'resize':
      return simulator.fault({ op: 'resize', path, size: sizes[Math.floor(random() * sizes.length)]! });
    case 'clock':
      return simulator.fault({ op: 'clock', path, offset: [0, 3600, -3600][Math.floor(random() * 3)]! });
  }
}

/** Random faults on every camera, one after another on each, until the simulator ends. */
export async function injectRandomFaults(
  simulator: Simulator,
  seed: number,
  told: (news: InjectedFault) => void,
): Promise<void> {
  let gone = false;
  void simulator.exited.then(() => {
    gone = true;
  });
  await Promise.all(
    simulator.urls.map(async (url, index) => {
      const random = seededRandom(seed * 1000 + index);
      const path = new URL(url).pathname;
      while (!gone) {
        await Promise.race([sleep(5 + 15 * random()), simulator.exited]);
        if (gone) return;
        const kind = FAULT_KINDS[Math.floor(random() * FAULT_KINDS.length)]!;
        const news = { path, kind, seconds: Math.round(20 + 60 * random()) / 10 };
        told(news);
        // Commands to a server that ends fail.
        await injectFault(simulator, news, random).catch(() => {});
      }
    }),
  );
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000).unref());
}
