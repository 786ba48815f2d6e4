import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AustreamError } from '../../errors.ts';
import type { Shape, Weights } from '../model/ops.ts';
import { parameterManifest } from '../model/parameter-manifest.ts';
import type { Manifest } from './manifest.ts';
import { Safetensors } from './safetensors.ts';

/** At most so many names in an error; the count says the rest. */
const MAX_LISTED = 12;

/** A model's weights: whole, the right ones, and every tensor that the architecture reads, in its shape. */
export class Checkpoint implements Weights {
  /** Of the weights; of several files, the sha256 of their sha256 in hexadecimal, joined. */
  readonly sha256: string;
  readonly #tensors: ReadonlyMap<string, { file: Safetensors; name: string; shape: Shape }>;
  readonly #files: readonly Safetensors[];

  private constructor(
    sha256: string,
    files: readonly Safetensors[],
    tensors: ReadonlyMap<string, { file: Safetensors; name: string; shape: Shape }>,
  ) {
    this.sha256 = sha256;
    this.#files = files;
    this.#tensors = tensors;
  }

  /** Throws MODEL_INVALID or MODEL_NOT_FOUND; nothing stays open then. */
  static async open(manifest: Manifest): Promise<Checkpoint> {
    const files: Safetensors[] = [];
    try {
      const tensors = new Map<string, { file: Safetensors; name: string; shape: Shape }>();
      for (const weights of manifest.weights) {
        const path = join(manifest.folder, weights.file);
        const file = new Safetensors(path);
        files.push(file);
        await verifyFile(path, weights);
        for (const [name, shape] of file.shapes) {
          const ours = mapTensorName(name, weights.names ?? {});
          if (ours === null) continue;
          if (tensors.has(ours)) throw invalid(manifest, [`two tensors are called ${ours}`]);
          tensors.set(ours, { file, name, shape });
        }
      }
      verifyTensors(manifest, tensors);
      const sums = manifest.weights.map(({ sha256 }) => sha256);
      const sha256 = sums.length === 1 ? sums[0]! : createHash('sha256').update(sums.join('')).digest('hex');
      return new Checkpoint(sha256, files, tensors);
    } catch (error) {
      for (const file of files) file.close();
      throw error;
    }
  }

  read(name: string, shape: Shape): Float32Array {
    const tensor = this.#tensors.get(name);
    if (!tensor || tensor.shape.join() !== shape.join())
      throw new AustreamError('MODEL_INVALID', `the weights have no ${name} [${shape}]`);
    return tensor.file.read(tensor.name);
  }

  /** Reads every tensor once, which finds what is not finite. */
  readAll(progress: (done: number, of: number) => void = () => {}): void {
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

async function verifyFile(path: string, { bytes, sha256 }: { bytes: number; sha256: string }): Promise<void> {
  const { size } = await stat(path);
  if (size !== bytes)
    throw new AustreamError('MODEL_INVALID', `${path} has ${size} bytes, model.json says ${bytes}`, {
      fix: 'fetch the weights again',
    });
  const hash = createHash('sha256');
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(part);
  const found = hash.digest('hex');
  if (found !== sha256)
    throw new AustreamError('MODEL_INVALID', `${path} has sha256 ${found}, model.json says ${sha256}`, {
      fix: 'fetch the weights again, or state the new sha256 if you changed them on purpose',
    });
}

/** Compares what the file has with what the architecture reads. */
function verifyTensors(manifest: Manifest, tensors: ReadonlyMap<string, { shape: Shape }>): void {
  const { parameters } = parameterManifest(manifest.architecture);
  const missing: string[] = [];
  const misshapen: string[] = [];
  for (const [name, shape] of parameters) {
    const found = tensors.get(name)?.shape;
    if (!found) missing.push(`${name} [${shape}]`);
    else if (found.join() !== shape.join()) misshapen.push(`${name} is [${found}], not [${shape}]`);
  }
  const extra = [...tensors.keys()].filter((name) => !parameters.has(name));
  const mistakes = [
    ...listNames('missing', missing),
    ...listNames('of another shape', misshapen),
    ...listNames('unknown', extra),
  ];
  if (mistakes.length > 0) throw invalid(manifest, mistakes);
}

function listNames(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const rest = names.length > MAX_LISTED ? [`    … and ${names.length - MAX_LISTED} more`] : [];
  return [`${names.length} ${what}:`, ...names.slice(0, MAX_LISTED).map((name) => `    ${name}`), ...rest];
}

function invalid(manifest: Manifest, mistakes: readonly string[]): AustreamError {
  const lines = mistakes.map((line) => `  ${line}`).join('\n');
  return new AustreamError(
    'MODEL_INVALID',
    `the weights of ${manifest.folder} are not those of preset ${manifest.preset}:\n${lines}`,
    {
      fix: 'check preset, architecture and names in model.json; austream model info --tensors lists what is read',
    },
  );
}

/** PyTorch's counter of training steps is no parameter. */
const BATCH_COUNTER = /\.num_batches_tracked$/;

function mapTensorName(name: string, names: Readonly<Record<string, string | null>>): string | null {
  if (BATCH_COUNTER.test(name)) return null;
  const [beginning] = Object.keys(names)
    .filter((start) => name.startsWith(start))
    .sort((a, b) => b.length - a.length);
  if (beginning === undefined) return name;
  const to = names[beginning];
  return to === null || to === undefined ? null : to + name.slice(beginning.length);
}
