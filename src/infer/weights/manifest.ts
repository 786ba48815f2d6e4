import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { readBoundedFile } from '../../bounded-file.ts';
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
import { parameterManifest } from '../model/parameter-manifest.ts';
import { sigma } from '../options.ts';

/** model.json has a few kB, with notes and metrics. */
const MAX_MANIFEST_BYTES = 1 << 20;
/** Four gigabytes in fp32; the model of the paper has 0.1 billion. */
const MAX_PARAMETERS = 1_000_000_000;
const MAX_NAMES = 1_000;
const MAX_NAME_LENGTH = 512;
/** Issues that an error lists. */
const MAX_ISSUES = 20;

const perAu = z.strictObject(
  Object.fromEntries(AU_NAMES.map((name) => [name, z.number().min(0).max(1)])) as Record<
    (typeof AU_NAMES)[number],
    z.ZodNumber
  >,
);

/**
 * Schema of model.json, in the model's folder beside the weights. Unknown keys (metrics, training, notes) are ignored.
 */
const manifestSchema = z.looseObject({
  /** Name and version stand in every event. */
  name: z.string().min(1).max(200),
  version: z.string().min(1).max(200),
  preset: z.enum([...(Object.keys(PRESETS) as [keyof typeof PRESETS]), 'custom']),
  /** Required if `preset` is `custom`; otherwise it must equal the preset. */
  architecture: architectureSchema.optional(),
  /** False: random weights, whose scores are meaningless. */
  trained: z.boolean(),
  input: z.looseObject({ size: z.literal(CROP_SIZE), window: z.literal(WINDOW_SIZE) }).optional(),
  aus: z.array(z.string()).refine((aus) => aus.join() === AU_NAMES.join(), {
    message: `must be ${AU_NAMES.join(', ')}, in this order`,
  }),
  thresholds: perAu.optional(),
  /** σ of the smoothing kernel per mode, in frame intervals. */
  smoothing: z.strictObject({ causal: sigma, centered: sigma }).optional(),
  /** Reliability of each AU's score in the model's evaluation: 0 chance … 1 perfect. */
  reliability: perAu.optional(),
  weights: z
    .array(
      z.strictObject({
        file: z
          .string()
          .max(255)
          .regex(/^[^/\\]+$/, 'must be a file name in the folder of model.json'),
        bytes: z.number().int().positive(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
        /**
         * Maps prefixes of the file's tensor names to austream's; the longest matching prefix wins, null leaves the
         * tensors out. Lets a checkpoint of one member load unchanged: {"backbone.": "vivit.backbone.", "head.":
         * "vivit."}.
         */
        names: z
          .record(z.string(), z.string().max(MAX_NAME_LENGTH).nullable())
          .refine(
            (names) => Object.keys(names).length <= MAX_NAMES,
            `must have at most ${MAX_NAMES} prefixes`,
          )
          .optional(),
      }),
    )
    .min(1)
    .max(64),
  licence: z.string().optional(),
});

type ManifestFile = z.output<typeof manifestSchema>;

/** A parsed model.json. */
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

/** Folder of the model that ships with austream. */
const DEFAULT_MODEL = fileURLToPath(new URL('../../../models/edge', import.meta.url));

/** Reads and validates model.json. Throws MODEL_NOT_FOUND, or MODEL_INVALID with every issue. */
export function readManifest(folder: string = DEFAULT_MODEL): Manifest {
  const file = join(folder, 'model.json');
  let json: unknown;
  try {
    json = JSON.parse(readBoundedFile(file, MAX_MANIFEST_BYTES));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === undefined) throw invalid(file, [(cause as Error).message], cause);
    throw new AustreamError('MODEL_NOT_FOUND', `${file} cannot be read: ${code}`, {
      fix: 'set infer.model to a folder that contains model.json and its weights',
      cause,
    });
  }
  const { data, error } = manifestSchema.safeParse(json);
  if (error)
    throw invalid(
      file,
      error.issues
        .slice(0, MAX_ISSUES)
        .map((issue) => `${issue.path.join('.') || 'model.json'}: ${issue.message}`),
    );
  const { preset: name } = data;
  if (name === 'custom') {
    if (!data.architecture) throw invalid(file, ['architecture: is required with preset custom']);
    const issue = sizeIssue(data.architecture);
    if (issue !== null) throw invalid(file, [`architecture: ${issue}`]);
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

/** Why no model of this architecture can be made; null if one can. */
function sizeIssue(architecture: Architecture): string | null {
  try {
    const { count } = parameterManifest(architecture);
    return count > MAX_PARAMETERS ? `has ${count} parameters, more than ${MAX_PARAMETERS}` : null;
  } catch (error) {
    // Shapes that do not fit.
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** The value with the keys of its top level sorted, for comparison as JSON. */
function sortKeys(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function invalid(file: string, issues: readonly string[], cause?: unknown): AustreamError {
  return new AustreamError(
    'MODEL_INVALID',
    `${file} is not a valid model.json:\n${issues.map((issue) => `  ${issue}`).join('\n')}`,
    { fix: 'correct model.json, or use preset: custom with your own architecture', cause },
  );
}
