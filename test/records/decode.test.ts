import avro from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  RECORD_NAMES,
  RecordEncoder,
  type RecordName,
  recordType,
  schemaText,
  singleObjectHeader,
} from '../../src/records/avro.ts';
import { type DecodedRecord, PoisonError, RecordDecoder } from '../../src/records/decode.ts';
import { confluentHeader, type SchemaRegistry } from '../../src/records/schema-registry.ts';
import { anyActivation, anyFrame, anyStatus, delivered, frameNumber } from './samples.ts';

const decoder = new RecordDecoder();
const frame = new RecordEncoder('AuFrame').encode(frameNumber(7));
const decode = (message: Buffer | null) => decoder.decode(message) as DecodedRecord;
const reasonOf = (message: Buffer | null) => {
  try {
    decode(message);
  } catch (error) {
    return error instanceof PoisonError ? error.reason : error;
  }
  return 'decoded';
};
/** A registry that knows these schemas; the real one is met in test/e2e. */
const registryOf = (schemas: Record<number, string>, asked: number[] = []) =>
  ({
    schema: async (id: number) => {
      asked.push(id);
      return schemas[id] ?? null;
    },
  }) as never as SchemaRegistry;

describe('a decoder', () => {
  test('gives records with their names', () => {
    expect(decode(frame)).toEqual({ record: 'AuFrame', value: delivered(frameNumber(7)) });
  });

  test('says why a message cannot be read', () => {
    expect(reasonOf(null)).toBe('empty');
    expect(reasonOf(Buffer.alloc(0))).toBe('empty');
    expect(reasonOf(Buffer.from('{"json":1}'))).toBe('unknown_format');
    expect(reasonOf(Buffer.of(0xc3, 0x01, 1, 2))).toBe('corrupt');
    expect(reasonOf(Buffer.concat([Buffer.of(0xc3, 0x01), Buffer.alloc(8), frame.subarray(10)]))).toBe(
      'unknown_schema',
    );
    expect(reasonOf(frame.subarray(0, -1))).toBe('corrupt');
    expect(reasonOf(Buffer.concat([frame, Buffer.of(0)]))).toBe('corrupt');
  });

  test('asks the registry once for each schema', async () => {
    const asked: number[] = [];
    const decoder = new RecordDecoder(registryOf({ 4: schemaText('AuFrame') }, asked));
    const message = Buffer.concat([confluentHeader(4), frame.subarray(10)]);
    expect(await decoder.decode(message)).toEqual({ record: 'AuFrame', value: delivered(frameNumber(7)) });
    expect(decoder.decode(message)).not.toBeInstanceOf(Promise);
    expect(asked).toEqual([4]);
  });

  test('tells a schema that is not to be had from one that does not fit', async () => {
    const other = '{"type":"record","name":"austream.AuFrame","fields":[{"name":"eventId","type":"int"}]}';
    const foreign = '{"type":"record","name":"shop.Order","fields":[]}';
    const decoder = new RecordDecoder(registryOf({ 1: other, 2: foreign, 3: 'no schema' }));
    const reason = (id: number) =>
      Promise.resolve(decoder.decode(confluentHeader(id))).catch((error: PoisonError) => error.reason);
    expect(await Promise.all([1, 2, 3, 9].map(reason))).toEqual([
      ...['incompatible_schema', 'unknown_schema', 'unknown_schema', 'unknown_schema'],
    ]);
    expect(reasonOf(confluentHeader(1))).toBe('unknown_schema');
  });

  test('reads what a newer producer writes: unknown fields skipped, unknown symbols mapped', async () => {
    const schema = JSON.parse(schemaText('AuFrame'));
    schema.fields.push({ name: 'site', type: 'string' });
    schema.fields.find(({ name }: { name: string }) => name === 'clockSource').type.symbols.push('ptp');
    const newer = avro.Type.forSchema(schema);
    const value = { ...frameNumber(3), clockSource: 'ptp', site: 'Berlin' };
    const decoder = new RecordDecoder(registryOf({ 1: JSON.stringify(schema) }));
    const message = Buffer.concat([confluentHeader(1), newer.toBuffer(value)]);
    expect((await decoder.decode(message)).value).toEqual({
      ...delivered(frameNumber(3)),
      clockSource: 'unknown',
    });
  });

  test('reads what an older producer wrote: missing fields have their defaults', async () => {
    const schema = JSON.parse(schemaText('AuFrame'));
    const aus = schema.fields.find(({ name }: { name: string }) => name === 'aus').type;
    aus.fields = aus.fields.filter(({ name }: { name: string }) => name !== 'au26');
    const older = avro.Type.forSchema(schema);
    const decoder = new RecordDecoder(registryOf({ 1: JSON.stringify(schema) }));
    const message = Buffer.concat([confluentHeader(1), older.toBuffer(frameNumber(3))]);
    const expected = delivered(frameNumber(3));
    expect((await decoder.decode(message)).value).toEqual({
      ...expected,
      aus: { ...expected.aus, au26: null },
    });
  });
});

test('100,000 mutated messages: each is a record or poison with a reason, none crashes or stalls', () => {
  const encoders = Object.fromEntries(RECORD_NAMES.map((name) => [name, new RecordEncoder(name)])) as Record<
    RecordName,
    RecordEncoder
  >;
  const whole = [
    ...fc.sample(anyFrame, 40).map((value) => encoders.AuFrame.encode(value)),
    ...fc.sample(anyActivation, 20).map((value) => encoders.AuActivation.encode(value)),
    ...fc.sample(anyStatus, 40).map((value) => encoders.CameraStatus.encode(value)),
    ...RECORD_NAMES.flatMap((name) =>
      Array.from({ length: 10 }, () => {
        const type = recordType(name);
        return Buffer.concat([singleObjectHeader(type), type.toBuffer(type.random())]);
      }),
    ),
  ];
  const counts: Record<string, number> = {};
  let random = 12345;
  const next = (below: number) => {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    return Math.floor((random / 2 ** 32) * below);
  };
  const extremes = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
  let slowest = 0;
  for (let round = 0; round < 100_000; round += 1) {
    let message: Buffer = Buffer.from(whole[next(whole.length)]!);
    for (let mutation = next(4); mutation >= 0; mutation -= 1) {
      const at = next(message.length);
      const kind = next(6);
      if (kind === 0) message[at] = next(256);
      else if (kind === 1) message[at] = extremes[next(extremes.length)]!;
      else if (kind === 2) message = message.subarray(0, at + 1);
      else if (kind === 3)
        message = Buffer.concat([
          message.subarray(0, at),
          Buffer.alloc(next(12), 0xff),
          message.subarray(at),
        ]);
      else if (kind === 4) message = Buffer.concat([message.subarray(0, at), message.subarray(at + next(9))]);
      else if (message.length > 14) message[10 + next(4)]! ^= 1 << next(8);
      if (message.length === 0) break;
    }
    const began = performance.now();
    const outcome = reasonOf(message);
    slowest = Math.max(slowest, performance.now() - began);
    if (typeof outcome !== 'string') throw outcome;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  expect(Object.values(counts).reduce((sum, count) => sum + count)).toBe(100_000);
  for (const reason of ['decoded', 'corrupt', 'unknown_schema', 'unknown_format'])
    expect(counts[reason]).toBeGreaterThan(100);
  // Far beyond what a busy machine does to a decode of microseconds: a count that is believed takes minutes.
  expect(slowest).toBeLessThan(5000);
}, 120_000);

test('a count of 2^40 items in a few bytes is refused at once', () => {
  const type = recordType('FaceCropBatch');
  const batch = type.toBuffer({
    cameraId: 'a',
    epoch: 1,
    trackId: 1,
    clockSource: 'rtcp',
    interval: 1,
    encoding: 'RGB8',
    crops: [],
    ended: false,
    epochEnded: false,
  });
  // In place of the count that ends the crops; what follows is `ended` and `epochEnded`.
  const huge = Buffer.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x40);
  const message = Buffer.concat([singleObjectHeader(type), batch.subarray(0, -3), huge]);
  expect(() => decode(message)).toThrow('more items than bytes');
});
