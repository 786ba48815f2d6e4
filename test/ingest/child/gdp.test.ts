import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseGdp } from '../../../src/ingest/child/gdp.ts';

test('a GDP packet has the payload length of its header; truncated bytes are rejected', () => {
  const type = fc.constantFrom(0, 1, 2, 3, 0xffff);
  const length = fc.oneof(fc.nat(100), fc.constant(0xffff_ffff));
  fc.assert(
    fc.property(type, length, fc.uint8Array({ maxLength: 100 }), (type, length, rest) => {
      const header = Buffer.alloc(62, 0xff);
      header.writeUInt16BE(type, 4);
      header.writeUInt32BE(length, 6);
      const packet = parseGdp(Buffer.concat([header, rest]));
      if (length > rest.length) {
        expect(packet).toBeNull();
        return;
      }
      expect(packet?.type).toBe(type === 1 ? 'buffer' : type === 2 ? 'caps' : 'event');
      if (packet?.type === 'buffer') expect([...packet.payload]).toEqual([...rest.slice(0, length)]);
    }),
  );
  for (let bytes = 0; bytes < 62; bytes++) expect(parseGdp(new Uint8Array(bytes))).toBeNull();
});
