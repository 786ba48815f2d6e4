import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { BrokerTurns } from '../../../src/cluster/infer/broker-turns.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('partitions whose calls hang until their limit starve no other', async () => {
  const turns = new BrokerTurns();
  // librdkafka's calls return at their limit and are repeated.
  for (let partition = 0; partition < 12; partition += 1) {
    const turn = turns.forPartition();
    const hang = (limitMs: number) => new Promise<void>((resolve) => setTimeout(resolve, limitMs));
    const repeat = async (): Promise<void> => turn(hang).then(repeat);
    void repeat();
  }
  // Each of them was slow once: 12 partitions, four turns of 2 s.
  await vi.advanceTimersByTimeAsync(3 * 2_000);
  const good = turns.forPartition();
  for (let call = 0; call < 20; call += 1) {
    let isDone = false;
    void good(async () => {}).then(() => {
      isDone = true;
    });
    await vi.advanceTimersByTimeAsync(100);
    expect(isDone).toBe(true);
  }
});
