import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { CROP_SIZE } from '../../domain/face.ts';
import { AU_NAMES } from '../../domain/scores.ts';
import { AustreamError } from '../../errors.ts';
import {
  type Architecture,
  architectureSchema,
  PRESETS,
  preset,
  WINDOW_SIZE,
} from '../model/architecture.ts';
import { sigma } from '../options.ts';

const perAu = z.strictObject(
  Object.fromEntries(AU_NAMES.map((name) => [name, z.number().min(0).max(1)])) as Record<
    (typeof AU_NAMES)[number],
    z.ZodNumber
  >,
);

/** model.json: what stands beside a model's weights. Unknown keys (metrics, training, notes) are for people. */
const manifestSchema = z.looseObject({
  name: z.string().min(1),
  version: z.string().min(1),
  preset: z.enum([...(Object.keys(PRESETS) as [keyof typeof PRESETS]), 'custom']),
  /** Needed by `custom`; elsewhere it must say what the preset says. */
  architecture: architectureSchema.optional(),
  /** False: the weights are random, and scores mean nothing. */
  trained: z.boolean(),
  input: z.looseObject({ size: z.literal(CROP_SIZE), window: z.literal(WINDOW_SIZE) }).optional(),
  aus: z.array(z.string()).refine((aus) => aus.join() === AU_NAMES.join(), {
    message: `must be ${AU_NAMES.join(', ')}, in this order`,
  }),
  thresholds: perAu.optional(),
  /** σ of the smoothing that suits the scores, per mode, in nominal frames. */
  smoothing: z.strictObject({ causal: sigma, centered: sigma }).optional(),
  /** What the evaluation says each AU's score is worth, 0 … 1. */
  reliability: perAu.optional(),
  weights: z
    .array(
      z.strictObject({
        file: z.string().regex(/^[^/\\]+$/, 'must be a file name, beside model.json'),
        bytes: z.number().int().positive(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
        /**
         * Beginnings of the file's names → austream's, the longest that fits; null leaves such tensors out. Lets a
         * checkpoint of one member serve as it is: {"backbone.": "vivit.backbone.", "head.": "vivit."}.
         */
        names: z.record(z.string(), z.string().nullable()).optional(),
      }),
    )
    .min(1),
  licence: z.string().optional(),
});

type ManifestFile = z.output<typeof manifestSchema>;

export interface Manifest
  extends Pick<
    ManifestFile,
    | 'name'
    | 'version'
    | 'preset'
    | 'trained'
    | 'thresholds'
    | 'smoothing'
    | 'reliability'
    | 'weights'
    | 'licence'
  > {
  readonly folder: string;
  readonly architecture: Architecture;
}

/** The model that ships with austream. */
export const DEFAULT_MODEL = fileURLToPath(new URL('../../../models/edge', import.meta.url));

/** Reads and checks model.json. Throws MODEL_NOT_FOUND or MODEL_INVALID with every mistake. */
export function readManifest(folder: string = DEFAULT_MODEL): Manifest {
  const file = join(folder, 'model.json');
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === undefined) throw invalid(file, [(cause as Error).message], cause);
    throw new AustreamError('MODEL_NOT_FOUND', `${file} cannot be read: ${code}`, {
      fix: 'infer.model must be a folder with a model.json and its weights',
      cause,
    });
  }
  const { data, error } = manifestSchema.safeParse(json);
  if (error)
    throw invalid(
      file,
      error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`),
    );
  const { preset: name } = data;
  if (name === 'custom') {
    if (!data.architecture) throw invalid(file, ['architecture: is needed where preset is custom']);
    return { ...data, folder, architecture: data.architecture };
  }
  const architecture = preset(name);
  const stated = data.architecture ?? architecture;
  const differing = (Object.keys(architecture) as (keyof Architecture)[]).filter(
    (key) => JSON.stringify(sortKeys(architecture[key])) !== JSON.stringify(sortKeys(stated[key])),
  );
  if (differing.length > 0)
    throw invalid(
      file,
      differing.map(
        (key) =>
          `architecture.${key}: is ${JSON.stringify(stated[key])}, but preset ${name} has ${JSON.stringify(architecture[key])}`,
      ),
    );
  return { ...data, folder, architecture };
}

function sortKeys(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function invalid(file: string, mistakes: readonly string[], cause?: unknown): AustreamError {
  return new AustreamError(
    'MODEL_INVALID',
    `${file} is not a valid model.json:\n${mistakes.map((m) => `  ${m}`).join('\n')}`,
    { fix: 'correct it, or state preset: custom with an architecture of your own', cause },
  );
}
