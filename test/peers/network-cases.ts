import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokerProxy } from '../broker/broker-proxy.ts';

export interface NetworkCase {
  readonly name: string;
  /** How long the fault lasts. */
  readonly seconds: number;
  /** Events of the publisher wait. Otherwise they flow all the time. */
  readonly held: boolean;
  /** A consumer gets nothing, and says so when a request times out after 30 s. Null: not run for a consumer. */
  readonly starved: boolean | null;
  begin(proxy: BrokerProxy): void | Promise<void>;
}

export const NETWORK_CASES: readonly NetworkCase[] = [
  {
    ...{ name: '300 ms each way, 200 ms jitter', seconds: 15, held: false, starved: false },
    begin: (proxy) => proxy.set({ latencyMs: 300, jitterMs: 200 }),
  },
  {
    ...{ name: '4 s each way', seconds: 30, held: true, starved: null },
    begin: (proxy) => proxy.set({ latencyMs: 4000, jitterMs: 500 }),
  },
  {
    ...{ name: '4 KB/s, less than the events need', seconds: 30, held: true, starved: false },
    begin: (proxy) => proxy.set({ bytesPerSecond: 4096 }),
  },
  {
    ...{ name: 'a reset every second', seconds: 15, held: false, starved: false },
    begin: async (proxy) => {
      for (let count = 0; count < 15; count += 1) {
        proxy.resetConnections();
        await sleep(1000);
      }
    },
  },
  {
    ...{ name: 'resets in the middle of messages', seconds: 30, held: false, starved: false },
    begin: (proxy) => proxy.set({ resetAfterBytes: 100_000 }),
  },
  { name: 'connections refused', seconds: 15, held: true, starved: true, begin: (proxy) => proxy.refuse() },
  {
    ...{ name: 'a black hole', seconds: 90, held: true, starved: true },
    begin: (proxy) => proxy.set({ blackHole: 'both' }),
  },
  {
    // What was sent is stored, and sent again later.
    ...{ name: 'a black hole for answers', seconds: 90, held: true, starved: true },
    begin: (proxy) => proxy.set({ blackHole: 'answers' }),
  },
  {
    ...{ name: 'connections forgotten by a firewall', seconds: 5, held: true, starved: true },
    begin: (proxy) => proxy.forgetConnections(),
  },
];
