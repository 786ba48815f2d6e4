import { describe, expect, test } from 'vitest';
import { LineDecoder } from '../../../src/ingest/protocol/channel.ts';
import { parseToHost } from '../../../src/ingest/protocol/to-host.ts';

describe('messages between host and camera process', () => {
  const report = {
    type: 'report',
    rss: 1,
    decoded: 1,
    analysed: 1,
    drops: {},
    clockErrorMs: null,
    driftPpm: null,
  };

  test('lines are decoded however the socket splits them', () => {
    const bytes = Buffer.from('{"a":1}\n{"b":"ü"}\n[]\n');
    for (let size = 1; size <= bytes.length; size++) {
      const decoder = new LineDecoder();
      const messages: unknown[] = [];
      for (let from = 0; from < bytes.length; from += size)
        messages.push(...decoder.push(bytes.subarray(from, from + size)));
      expect(messages).toEqual([{ a: 1 }, { b: 'ü' }, []]);
    }
  });

  test('a line without an end is refused, however it is split', () => {
    const decoder = new LineDecoder(100);
    for (let sent = 0; sent < 100; sent += 10) decoder.push(Buffer.alloc(10, 'x'));
    expect(() => decoder.push(Buffer.from('x'))).toThrow('longer than 100 bytes');
    expect(() => new LineDecoder(100).push(Buffer.alloc(101))).toThrow('longer than 100 bytes');
  });

  test('unknown keys are left out, long texts are cut', () => {
    expect(parseToHost({ type: 'connected', extra: 1 })).toEqual({ type: 'connected' });
    const polluted = { ...report, drops: JSON.parse('{"__proto__":{"overload":1}}') };
    expect(Object.keys((parseToHost(polluted) as typeof report).drops)).toEqual([]);
    const failed = parseToHost({ type: 'failed', code: 'CAMERA_STALLED', message: 'x'.repeat(1e6) });
    expect(failed).toMatchObject({ message: 'x'.repeat(2000) });
  });

  test.each([
    null,
    [],
    { type: 'flushed' },
    { type: '__proto__' },
    { ...report, rss: -1 },
    { ...report, decoded: 1e300 },
    { ...report, drops: { invented: 1 } },
    { ...report, drops: { overload: '1' } },
    { type: 'failed', code: 'constructor', message: '' },
  ])('%j is refused', (message) => {
    expect(() => parseToHost(message)).toThrow(expect.objectContaining({ code: 'CAMERA_PROCESS_DIED' }));
  });
});
