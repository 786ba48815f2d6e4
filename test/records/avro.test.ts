import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { generate } from '../../schemas/generate.ts';
import type { CameraStatus } from '../../src/domain/camera-status.ts';
import type { AuActivation, AuFrame } from '../../src/domain/event.ts';
import {
  RECORD_NAMES,
  RecordEncoder,
  recordType,
  SINGLE_OBJECT_HEADER_BYTES,
} from '../../src/records/avro.ts';
import type * as events from '../../src/records/events.ts';
import { canonicalForm, rabin } from '../../src/records/fingerprint.ts';
import { anyActivation, anyFrame, anyStatus, delivered, frameNumber } from './samples.ts';

const decode = (record: (typeof RECORD_NAMES)[number], message: Buffer) =>
  recordType(record).fromBuffer(message.subarray(SINGLE_OBJECT_HEADER_BYTES));

describe('records', () => {
  test('survive encoding and decoding', () => {
    const frames = new RecordEncoder('AuFrame');
    const activations = new RecordEncoder('AuActivation');
    const statuses = new RecordEncoder('CameraStatus');
    fc.assert(
      fc.property(anyFrame, anyActivation, anyStatus, (frame, activation, status) => {
        expect(decode('AuFrame', frames.encode(frame))).toEqual(delivered(frame));
        expect(decode('AuActivation', activations.encode(activation))).toEqual(activation);
        expect(decode('CameraStatus', statuses.encode(status))).toEqual(status);
      }),
    );
  });

  test('keep the reserved activation end `stopped`, which is no longer produced', () => {
    const [activation] = fc.sample(anyActivation, 1);
    const reserved = { ...activation!, end: 'stopped' as const };
    expect(decode('AuActivation', new RecordEncoder('AuActivation').encode(reserved))).toEqual(reserved);
  });

  test('of any length do not overlap in the shared block', () => {
    const batch = (size: number) => ({
      ...{
        cameraId: 'a',
        epoch: 1,
        trackId: 1,
        clockSource: 'rtcp',
        interval: 40_000,
        encoding: 'RGB8',
        ended: false,
      },
      crops: [{ ...frameNumber(1), pixels: Buffer.alloc(size, 7) }],
    });
    const encoder = new RecordEncoder('FaceCropBatch');
    const sizes = [1, 100_000, 5, 65_000, 1_000_000, 300, 60_000, 30_000, 64_000];
    const messages = sizes.map((size) => encoder.encode(batch(size)));
    for (const [index, size] of sizes.entries()) {
      const value = decode('FaceCropBatch', messages[index]!) as events.FaceCropBatch;
      expect(value.crops[0]!.pixels.equals(Buffer.alloc(size, 7))).toBe(true);
    }
  });

  test('that do not fit the schema are rejected, with the record and the value in the message', () => {
    const wrong = { ...frameNumber(1), clockSource: 'sundial' };
    expect(() => new RecordEncoder('AuFrame').encode(wrong)).toThrowError(/not a valid AuFrame.*sundial/);
  });

  test('start with the marker and the fingerprint of their schema', () => {
    const message = new RecordEncoder('AuFrame').encode(frameNumber(1));
    expect(message.subarray(0, 2)).toEqual(Buffer.of(0xc3, 0x01));
    const fingerprint = rabin(Buffer.from(canonicalForm(recordType('AuFrame'))));
    expect(message.readBigUInt64LE(2)).toBe(fingerprint);
  });
});

test('CRC-64-AVRO matches the fingerprints in Avro’s test data', () => {
  const known = { null: 7195948357588979594n, boolean: -6970731678124411036n, int: 8247732601305521295n };
  for (const [type, fingerprint] of Object.entries(known))
    expect(BigInt.asIntN(64, rabin(Buffer.from(`"${type}"`)))).toBe(fingerprint);
});

test('every field, type and enum of the schemas is documented', () => {
  const walk = (schema: unknown, path: string): void => {
    if (Array.isArray(schema)) for (const branch of schema) walk(branch, path);
    if (schema === null || typeof schema !== 'object' || Array.isArray(schema)) return;
    const { name, doc, fields, type, items, values } = schema as Record<string, never>;
    if (name !== undefined) expect(doc, `doc of ${path}`).toBeTruthy();
    for (const field of (fields ?? []) as { name: string }[]) walk(field, `${path}.${field.name}`);
    for (const inner of [type, items, values]) if (typeof inner === 'object') walk(inner, path);
  };
  for (const record of RECORD_NAMES)
    walk(JSON.parse(readFileSync(new URL(`../../schemas/${record}.avsc`, import.meta.url), 'utf8')), record);
});

describe('the generated types', () => {
  test('are up to date with the schemas (otherwise run: node schemas/generate.ts)', () => {
    expect(readFileSync(new URL('../../src/records/events.ts', import.meta.url), 'utf8')).toBe(generate());
  });

  test('accept the domain types', () => {
    expectTypeOf<AuFrame>().toExtend<events.AuFrame>();
    expectTypeOf<AuActivation>().toExtend<events.AuActivation>();
    expectTypeOf<CameraStatus>().toExtend<events.CameraStatus>();
  });
});
