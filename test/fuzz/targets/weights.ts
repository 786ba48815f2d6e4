import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readManifest } from '../../../src/infer/weights/manifest.ts';
import { Safetensors } from '../../../src/infer/weights/safetensors.ts';
import type { FuzzTarget } from '../target.ts';

const folder = mkdtempSync(join(tmpdir(), 'austream-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const header = JSON.stringify({
  __metadata__: { format: 'pt' },
  a: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] },
  b: { dtype: 'F16', shape: [4], data_offsets: [16, 24] },
  c: { dtype: 'BF16', shape: [], data_offsets: [24, 26] },
  d: { dtype: 'F64', shape: [1], data_offsets: [32, 40] },
});

function file(json: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(40)]);
}

function readAll(bytes: Buffer): void {
  const path = join(folder, 'model.safetensors');
  writeFileSync(path, bytes);
  const weights = new Safetensors(path);
  try {
    for (const name of weights.shapes.keys()) weights.read(name);
  } finally {
    weights.close();
  }
}

/** A weights file. */
export const safetensors: FuzzTarget = {
  name: 'safetensors',
  seeds: [file(Buffer.from(header)), file(Buffer.from('null')), file(Buffer.from('{}'))],
  dictionary: ['"F32"', '"data_offsets":', '"shape":[', '"I64"'],
  run: readAll,
};

/** The same with the right header length, so that the JSON is reached. */
export const safetensorsHeader: FuzzTarget = {
  name: 'safetensors, its header',
  grammar: 'json',
  seeds: [header, 'null', '[]', '{"__proto__":{"dtype":"toString","shape":[],"data_offsets":[0,0]}}'].map(
    (text) => Buffer.from(text),
  ),
  run: (json) => readAll(file(json)),
};

const edge = fileURLToPath(new URL('../../../models/edge/model.json', import.meta.url));
const custom = {
  ...JSON.parse(readFileSync(edge, 'utf8')),
  preset: 'custom',
  architecture: {
    stem: 8,
    depths: [1, 2],
    widths: [16, 32],
    groupWidth: 8,
    vivit: { dim: 32, heads: 2, mlp: 32, spatialLayers: 1, temporalLayers: 1 },
    nguyen: { heads: 2, mlp: 32, encoderLayers: 1, decoderLayers: 1 },
  },
};
custom.weights[0].names = { 'backbone.': 'vivit.backbone.', 'head.': null };

export const manifest: FuzzTarget = {
  name: 'model.json',
  grammar: 'json',
  seeds: [readFileSync(edge), Buffer.from(JSON.stringify(custom)), Buffer.from('null')],
  quick: 1_500,
  run(input) {
    writeFileSync(join(folder, 'model.json'), input);
    readManifest(folder);
  },
};
