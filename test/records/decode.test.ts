import avro from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AustreamError } from '../../src/errors.ts';
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
/** A registry with these schemas. test/e2e uses a real one. `requested` collects the requested ids. */
const registryOf = (schemas: Record<number, string>, requested: number[] = []) =>
  ({
    schema: async (id: number) => {
      requested.push(id);
      return schemas[id] ?? null;
    },
  }) as never as SchemaRegistry;

describe('a decoder', () => {
  test('returns the record and its type', () => {
    expect(decode(frame)).toEqual({ record: 'AuFrame', value: delivered(frameNumber(7)) });
  });

  test('names the reason why a message cannot be decoded', () => {
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

  test('fails with MESSAGE_UNREADABLE, which no retry cures', () => {
    expect(() => decode(Buffer.from('junk'))).toThrowError(
      expect.objectContaining({ code: 'MESSAGE_UNREADABLE', canRetry: false, reason: 'unknown_format' }),
    );
  });

  test('fetches each schema from the registry once', async () => {
    const requested: number[] = [];
    const decoder = new RecordDecoder(registryOf({ 4: schemaText('AuFrame') }, requested));
    const message = Buffer.concat([confluentHeader(4), frame.subarray(10)]);
    expect(await decoder.decode(message)).toEqual({ record: 'AuFrame', value: delivered(frameNumber(7)) });
    expect(decoder.decode(message)).not.toBeInstanceOf(Promise);
    expect(requested).toEqual([4]);
  });

  test('a registry that has accepted this user before may accept it again', () => {
    const rejected = new AustreamError('REGISTRY_REJECTED', 'no');
    const decoder = (answered: boolean) => new RecordDecoder({ answered } as SchemaRegistry);
    expect(decoder(false).mayRetry(rejected)).toBe(false);
    expect(decoder(true).mayRetry(rejected)).toBe(true);
    expect(decoder(false).mayRetry(new AustreamError('REGISTRY_UNREACHABLE', 'away'))).toBe(true);
    for (const error of [new PoisonError('corrupt', 'no'), new Error('bug')])
      expect(decoder(true).mayRetry(error)).toBe(false);
  });

  test('distinguishes unknown from incompatible schemas', async () => {
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

  test('reads messages of a newer schema: unknown fields are skipped, unknown symbols become the default', async () => {
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

  test('reads messages of an older schema: missing fields get their defaults', async () => {
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

/** A linear congruential generator (Numerical Recipes): integers from 0 to below `below`, the same in each run. */
function seededRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Changes, inserts or removes bytes at one position. */
function mutate(message: Buffer, random: (below: number) => number): Buffer {
  const extremes = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
  const at = random(message.length);
  const [before, after] = [message.subarray(0, at), message.subarray(at)];
  switch (random(6)) {
    case 0:
      return Buffer.concat([before, Buffer.of(random(256)), after.subarray(1)]);
    case 1:
      return Buffer.concat([before, Buffer.of(extremes[random(extremes.length)]!), after.subarray(1)]);
    case 2:
      return message.subarray(0, at + 1);
    case 3:
      return Buffer.concat([before, Buffer.alloc(random(12), 0xff), after]);
    case 4:
      return Buffer.concat([before, message.subarray(at + random(9))]);
    default: {
      // The first bytes after the header.
      const flipped = Buffer.from(message);
      if (flipped.length > 14) flipped[10 + random(4)]! ^= 1 << random(8);
      return flipped;
    }
  }
}

/** Paths of the fields that do not fit the type. avsc does not check the range of an int when it reads one. */
function invalidFields(type: avro.Type, record: object): string[] {
  const paths: string[] = [];
  type.isValid(record, {
    errorHook: (path, value, { typeName }) => {
      if (!(typeName === 'int' && Number.isInteger(value))) paths.push(path.join('.'));
    },
  });
  return paths;
}

describe('messages of all record types', () => {
  const encoders = Object.fromEntries(RECORD_NAMES.map((name) => [name, new RecordEncoder(name)])) as Record<
    RecordName,
    RecordEncoder
  >;
  const samples = [
    ...fc
      .sample(anyFrame, 40)
      .map((frame) => ({ record: 'AuFrame' as const, value: delivered(frame), written: frame })),
    ...fc
      .sample(anyActivation, 20)
      .map((value) => ({ record: 'AuActivation' as const, value, written: value })),
    ...fc.sample(anyStatus, 40).map((value) => ({ record: 'CameraStatus' as const, value, written: value })),
    // Scores of random frames and activations would be out of their range.
    ...(['CameraStatus', 'DeadLetter', 'FaceCropBatch'] as const).flatMap((record) =>
      Array.from({ length: 10 }, () => {
        // A random double is no float: read once, it is the value that the bytes can hold.
        const type = recordType(record);
        const value = type.fromBuffer(type.toBuffer(type.random()));
        return { record, value, written: value };
      }),
    ),
  ].map(({ record, value, written }) => ({ record, value, message: encoders[record].encode(written) }));

  test('decode to the records that were encoded', () => {
    for (const { record, value, message } of samples) expect(decode(message)).toEqual({ record, value });
  });

  test('mutated 100,000 times, decode to a valid record or fail with a reason', () => {
    const random = seededRandom(12345);
    const counts: Record<string, number> = {};
    for (let round = 0; round < 100_000; round += 1) {
      const { message } = samples[random(samples.length)]!;
      let mutated: Buffer = message;
      for (let left = 1 + random(4); left > 0 && mutated.length > 0; left -= 1)
        mutated = mutate(mutated, random);
      const outcome = reasonOf(mutated);
      // Anything but a PoisonError is a crash.
      if (typeof outcome !== 'string') throw outcome;
      counts[outcome] = (counts[outcome] ?? 0) + 1;
      if (mutated.equals(message)) expect(outcome).toBe('decoded');
      if (outcome !== 'decoded') continue;
      const { record, value } = decode(mutated);
      expect(invalidFields(recordType(record), value), mutated.toString('hex')).toEqual([]);
    }
    for (const reason of ['decoded', 'corrupt', 'unknown_schema', 'unknown_format'])
      expect(counts[reason]).toBeGreaterThan(100);
  }, 120_000);
});

test('an array count of 2^40 in a message of a few bytes is rejected without a loop', () => {
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
  // It replaces the last three bytes: the end of the array, `ended` and `epochEnded`.
  const huge = Buffer.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x40);
  const message = Buffer.concat([singleObjectHeader(type), batch.subarray(0, -3), huge]);
  expect(() => decode(message)).toThrow('more items than bytes');
});

test('an int beyond 32 bits, which avsc would return, is rejected', () => {
  const type = recordType('FaceCropBatch');
  const batch = {
    ...{ cameraId: 'a', epoch: 1, trackId: 1, clockSource: 'rtcp', interval: 1, encoding: 'RGB8' },
    ...{ crops: [], ended: false, epochEnded: false },
  };
  const bytes = type.toBuffer(batch);
  // The camera id has two bytes, the epoch one; then comes trackId.
  const huge = Buffer.concat([
    bytes.subarray(0, 3),
    Buffer.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x40),
    bytes.subarray(4),
  ]);
  expect(() => decode(Buffer.concat([singleObjectHeader(type), huge]))).toThrow('is no int');
});

describe('a number out of its range, which Avro accepts, is rejected', () => {
  const frame = frameNumber(7);
  const au12 = { raw: 0.5, p: 0.5, active: false, reliability: null };
  const frames: [string, object][] = [
    ['a score that is NaN', { aus: { ...frame.aus, au12: { ...au12, p: Number.NaN } } }],
    ['a score above 1', { aus: { ...frame.aus, au12: { ...au12, raw: 1.5 } } }],
    ['a negative score', { quality: { ...frame.quality, score: -0.1 } }],
    ['an infinite box', { box: { ...frame.box, x: Number.POSITIVE_INFINITY } }],
    ['a clock error that is NaN', { clockErrorMs: Number.NaN }],
  ];
  test.each(frames)('%s', (_, change) => {
    expect(reasonOf(new RecordEncoder('AuFrame').encode({ ...frame, ...change }))).toBe('corrupt');
  });

  test('an activation whose peak is no score', () => {
    const [activation] = fc.sample(anyActivation, 1);
    expect(reasonOf(new RecordEncoder('AuActivation').encode({ ...activation, peak: 7 }))).toBe('corrupt');
  });
});
