import type { Simulator } from './simulator.ts';

/** Faults of a simulated camera. A changed clock or resolution stays; the other faults end after their duration. */
export const FAULT_KINDS = ['stop', 'freeze', 'loss', 'slow', 'resize', 'clock'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface InjectedFault {
  readonly path: string;
  readonly kind: FaultKind;
  /** Duration. */
  readonly seconds: number;
}

const SIZES: readonly (readonly [number, number])[] = [
  [640, 360],
  [480, 270],
];

/** A Lehmer random number generator, 0 to 1: reproducible by its seed. */
export function seededRandom(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/**
 * Injects one fault and ends it after `seconds`, or at once when the simulator exits. Rejects with ARGUMENT_INVALID where
 * a command fails.
 */
export async function injectFault(
  simulator: Simulator,
  { path, kind, seconds }: InjectedFault,
  random: () => number,
  sizes = SIZES,
): Promise<void> {
  const waitForEnd = () => Promise.race([sleep(seconds), simulator.exited]);
  switch (kind) {
    case 'stop':
      await simulator.fault({ op: 'stop', path });
      await waitForEnd();
      return simulator.fault({ op: 'start', path });
    case 'freeze':
      await simulator.fault({ op: 'freeze', path, on: true });
      await waitForEnd();
      return simulator.fault({ op: 'freeze', path, on: false });
    case 'loss':
      await simulator.fault({ op: 'loss', path, probability: 0.05 });
      await waitForEnd();
      return simulator.fault({ op: 'loss', path, probability: 0 });
    case 'slow':
      await simulator.fault({ op: 'slow', path, factor: 2 });
      await waitForEnd();
      return simulator.fault({ op: 'slow', path, factor: 1 });
    case 'resize':
      return simulator.fault({ op: 'resize', path, size: sizes[Math.floor(random() * sizes.length)]! });
    case 'clock':
      return simulator.fault({ op: 'clock', path, offset: [0, 3600, -3600][Math.floor(random() * 3)]! });
  }
}

/** Injects random faults into every camera, one after another on each, until the simulator exits. */
export async function injectRandomFaults(
  simulator: Simulator,
  seed: number,
  onFault: (fault: InjectedFault) => void,
): Promise<void> {
  let exited = false;
  void simulator.exited.then(() => {
    exited = true;
  });
  await Promise.all(
    simulator.urls.map(async (url, index) => {
      const random = seededRandom(seed * 1000 + index);
      const path = new URL(url).pathname;
      while (!exited) {
        await Promise.race([sleep(5 + 15 * random()), simulator.exited]);
        if (exited) return;
        const kind = FAULT_KINDS[Math.floor(random() * FAULT_KINDS.length)]!;
        const fault = { path, kind, seconds: Math.round(20 + 60 * random()) / 10 };
        onFault(fault);
        // A command fails if the server has exited meanwhile.
        await injectFault(simulator, fault, random).catch(() => {});
      }
    }),
  );
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000).unref());
}
