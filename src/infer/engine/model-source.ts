import { type Architecture, type PresetName, preset } from '../model/architecture.ts';
import type { Weights } from '../model/ops.ts';
import { Checkpoint } from '../weights/checkpoint.ts';
import { type Manifest, readManifest } from '../weights/manifest.ts';
import { randomWeights } from '../weights/random-weights.ts';

/** An architecture with weights: of a model folder, or a preset with random weights. */
export interface ModelSource {
  readonly name: string;
  readonly net: Architecture;
  readonly weights: Weights;
  /** Null for random weights. */
  readonly manifest: Manifest | null;
  /** Null for random weights. */
  readonly checkpoint: Checkpoint | null;
  close(): void;
}

/** Selects a model: a folder (default: the model that ships), or a preset with random weights. */
export interface ModelSelector {
  readonly folder?: string | undefined;
  readonly preset?: PresetName | undefined;
}

/** Opens the architecture and weights, without an engine. Throws MODEL_NOT_FOUND or MODEL_INVALID. */
export async function openModelSource({ folder, preset: name }: ModelSelector): Promise<ModelSource> {
  if (name !== undefined)
    return {
      name: `${name}, random weights`,
      net: preset(name),
      weights: randomWeights,
      manifest: null,
      checkpoint: null,
      close: () => {},
    };
  const manifest = readManifest(folder);
  const checkpoint = await Checkpoint.open(manifest);
  return {
    name: `${manifest.name} ${manifest.version}`,
    net: manifest.architecture,
    weights: checkpoint,
    manifest,
    checkpoint,
    close: () => checkpoint.close(),
  };
}
