import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AustreamError } from '../../errors.ts';
import type { Shape, Weights } from '../model/ops.ts';
import { parameterManifest } from '../model/parameter-manifest.ts';
import type { Manifest } from './manifest.ts';
import { Safetensors } from './safetensors.ts';

/** Maximum number of tensor names that an error lists per problem. */
const MAX_LISTED = 12;

interface LocatedTensor {
  readonly file: Safetensors;
  /** Its name in the file. */
  readonly name: string;
  readonly shape: Shape;
}

/** A model's weight files, verified: checksums match, and every parameter of the architecture exists in its shape. */
export class Checkpoint implements Weights {
  /** sha256 of the weight file; of several files, the sha256 of their concatenated hexadecimal sha256. */
  readonly sha256: string;
  readonly #tensors: ReadonlyMap<string, LocatedTensor>;
  readonly #files: readonly Safetensors[];

  private constructor(
    sha256: string,
    files: readonly Safetensors[],
    tensors: ReadonlyMap<string, LocatedTensor>,
  ) {
    this.sha256 = sha256;
    this.#files = files;
    this.#tensors = tensors;
  }

  /**
   * Opens and verifies the weight files. Throws MODEL_NOT_FOUND if a file is missing, MODEL_INVALID if it is corrupt or
   * does not fit the architecture. On an error nothing stays open.
   */
  static async open(manifest: Manifest): Promise<Checkpoint> {
    const files: Safetensors[] = [];
    try {
      const tensors = new Map<string, LocatedTensor>();
      for (const weights of manifest.weights) {
        const path = join(manifest.folder, weights.file);
        const file = new Safetensors(path);
        files.push(file);
        await verifyFile(path, weights);
        for (const [name, shape] of file.shapes) {
          const mapped = mapTensorName(name, weights.names ?? {});
          if (mapped === null) continue;
          if (tensors.has(mapped)) throw invalid(manifest, [`two tensors map to the name ${mapped}`]);
          tensors.set(mapped, { file, name, shape });
        }
      }
      verifyTensors(manifest, tensors);
      const checksums = manifest.weights.map(({ sha256 }) => sha256);
      const sha256 =
        checksums.length === 1
          ? checksums[0]!
          : createHash('sha256').update(checksums.join('')).digest('hex');
      return new Checkpoint(sha256, files, tensors);
    } catch (error) {
      for (const file of files) file.close();
      throw error;
    }
  }

  read(name: string, shape: Shape): Float32Array {
    const tensor = this.#tensors.get(name);
    if (!tensor || tensor.shape.join() !== shape.join())
      throw new AustreamError('MODEL_INVALID', `the weights have no tensor ${name} [${shape}]`);
    return tensor.file.read(tensor.name);
  }

  /** Reads every tensor once. Throws MODEL_INVALID if a value is not finite. */
  readAll(progress: (done: number, total: number) => void = () => {}): void {
    let done = 0;
    for (const { file, name } of this.#tensors.values()) {
      file.read(name);
      progress(++done, this.#tensors.size);
    }
  }

  close(): void {
    for (const file of this.#files) file.close();
  }
}

/** Throws MODEL_INVALID if size or checksum differ from model.json. */
async function verifyFile(path: string, { bytes, sha256 }: { bytes: number; sha256: string }): Promise<void> {
  const { size } = await stat(path);
  if (size !== bytes)
    throw new AustreamError('MODEL_INVALID', `${path} has ${size} bytes, model.json says ${bytes}`, {
      fix: 'download the weights again',
    });
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  const actual = hash.digest('hex');
  if (actual !== sha256)
    throw new AustreamError('MODEL_INVALID', `${path} has sha256 ${actual}, model.json says ${sha256}`, {
      fix: 'download the weights again, or update sha256 in model.json if you changed them on purpose',
    });
}

/** Compares the tensors of the files with the parameters of the architecture. Throws MODEL_INVALID. */
function verifyTensors(manifest: Manifest, tensors: ReadonlyMap<string, { shape: Shape }>): void {
  const { parameters } = parameterManifest(manifest.architecture);
  const missing: string[] = [];
  const wrongShape: string[] = [];
  for (const [name, shape] of parameters) {
    const actual = tensors.get(name)?.shape;
    if (!actual) missing.push(`${name} [${shape}]`);
    else if (actual.join() !== shape.join()) wrongShape.push(`${name} is [${actual}], not [${shape}]`);
  }
  const extra = [...tensors.keys()].filter((name) => !parameters.has(name));
  const problems = [
    ...listNames('missing', missing),
    ...listNames('with another shape', wrongShape),
    ...listNames('unknown', extra),
  ];
  if (problems.length > 0) throw invalid(manifest, problems);
}

function listNames(problem: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const rest = names.length > MAX_LISTED ? [`    … and ${names.length - MAX_LISTED} more`] : [];
  return [`${names.length} ${problem}:`, ...names.slice(0, MAX_LISTED).map((name) => `    ${name}`), ...rest];
}

function invalid(manifest: Manifest, problems: readonly string[]): AustreamError {
  const lines = problems.map((line) => `  ${line}`).join('\n');
  return new AustreamError(
    'MODEL_INVALID',
    `the weights in ${manifest.folder} do not fit preset ${manifest.preset}:\n${lines}`,
    {
      fix: 'check preset, architecture and names in model.json; austream model info --tensors lists the expected tensors',
    },
  );
}

/** PyTorch's batch norm counts training steps in a buffer that is no parameter. */
const BATCH_COUNTER = /\.num_batches_tracked$/;

/**
 * Maps a tensor name of the file to the parameter name, by the longest matching prefix in `names`; null if the tensor
 * is left out.
 */
function mapTensorName(name: string, names: Readonly<Record<string, string | null>>): string | null {
  if (BATCH_COUNTER.test(name)) return null;
  const [prefix] = Object.keys(names)
    .filter((candidate) => name.startsWith(candidate))
    .sort((a, b) => b.length - a.length);
  if (prefix === undefined) return name;
  const replacement = names[prefix];
  return replacement === null || replacement === undefined ? null : replacement + name.slice(prefix.length);
}
