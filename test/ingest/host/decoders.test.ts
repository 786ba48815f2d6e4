import { expect, test } from 'vitest';
import { decoderRanks } from '../../../src/ingest/host/decoders.ts';

test('decoder ranks list each element once, hardware first unless software is selected', () => {
  for (const decoder of ['auto', 'software', 'nvdec', 'vaapi'] as const) {
    const names = decoderRanks(decoder)
      .split(',')
      .map((rank) => rank.split(':')[0]);
    expect(new Set(names).size).toBe(names.length);
  }
  expect(decoderRanks('software')).toContain('nvh264dec:NONE');
  expect(decoderRanks('nvdec')).toMatch(/nvh264dec:\d+.*vah264dec:NONE/);
});
