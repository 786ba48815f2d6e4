import { expect, test } from 'vitest';
import { StartGate } from '../../../src/ingest/host/start-gate.ts';

test('lets in as many as fit, the others in turn, and forgets who went away', () => {
  const gate = new StartGate(2);
  const entered: number[] = [];
  const leave = Array.from({ length: 5 }, (_, index) => gate.pass(() => entered.push(index)));
  expect(entered).toEqual([0, 1]);
  leave[3]!();
  leave[0]!();
  expect(entered).toEqual([0, 1, 2]);
  leave[0]!();
  expect(entered).toEqual([0, 1, 2]);
  leave[1]!();
  leave[2]!();
  expect(entered).toEqual([0, 1, 2, 4]);
});

test('leaving from within entering does not upset it', () => {
  const gate = new StartGate(1);
  const entered: string[] = [];
  const first = gate.pass(() => entered.push('first'));
  const second = gate.pass(() => entered.push('second'));
  gate.pass(() => entered.push('third'));
  first();
  second();
  expect(entered).toEqual(['first', 'second', 'third']);
});
