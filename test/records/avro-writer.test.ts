import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recordType } from '../../src/records/avro.ts';
import { compileWriter } from '../../src/records/avro-writer.ts';
import { anyActivation, anyFrame, frameNumber } from './samples.ts';

const BLOCK = Buffer.alloc(64 * 1024);
const TARGET = { bytes: BLOCK, view: new DataView(BLOCK.buffer, BLOCK.byteOffset, BLOCK.byteLength) };

/** The bytes; null where avsc has to write them. */
function written(type: avro.Type, value: unknown): Buffer | null {
  const end = compileWriter(type)!(value, TARGET, 3);
  return end < 0 ? null : Buffer.from(BLOCK.subarray(3, end));
}

test('writes what avsc writes, or leaves it to avsc', () => {
  const [frames, activations] = [recordType('AuFrame'), recordType('AuActivation')];
  fc.assert(
    fc.property(anyFrame, anyActivation, (frame, activation) => {
      const bytes = [written(frames, frame), written(activations, activation)];
      const same = [frames.toBuffer(frame), activations.toBuffer(activation)];
      for (const [index, it] of bytes.entries()) if (it) expect(it).toEqual(same[index]);
    }),
  );
  const frame = frameNumber(7);
  expect(written(frames, frame)).toEqual(frames.toBuffer(frame));
});

test('integers of any size', () => {
  const long = avro.Type.forSchema('long');
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer()), (value) => {
      const bytes = written(long, value);
      if (bytes || Math.abs(value) <= 2 ** 52) expect(bytes).toEqual(long.toBuffer(value));
    }),
  );
});

test.each([
  ['a string that is not ASCII', { ...frameNumber(1), cameraId: 'Tür' }],
  ['no string', { ...frameNumber(1), cameraId: 7 }],
  ['no integer', { ...frameNumber(1), frame: 0.5 }],
  ['an int of more than 32 bits', { ...frameNumber(1), trackId: 2 ** 31 }],
  ['an unknown symbol', { ...frameNumber(1), clockSource: 'sundial' }],
  ['no number', { ...frameNumber(1), box: { x: '1', y: 0, w: 0, h: 0 } }],
  ['a field without a value', { ...frameNumber(1), zones: undefined }],
  ['no record', { ...frameNumber(1), model: null }],
  ['undefined for null', { ...frameNumber(1), clockErrorMs: undefined }],
])('%s is left to avsc', (_, frame) => {
  expect(written(recordType('AuFrame'), frame)).toBeNull();
});

test('schemas with parts that it does not know are left to avsc', () => {
  expect(compileWriter(recordType('CameraStatus'))).toBeNull();
  expect(compileWriter(recordType('DeadLetter'))).toBeNull();
});
