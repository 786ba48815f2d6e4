import { existsSync, readdirSync } from 'node:fs';
import { z } from 'zod';
import { readBoundedFile } from '../bounded-file.ts';
import { cameraOptions } from '../camera/options.ts';
import { clusterOptions } from '../cluster/options.ts';
import { controlOptions } from '../control/options.ts';
import { dashboardOptions } from '../dashboard/options.ts';
import { detectOptions } from '../detect/options.ts';
import { AustreamError } from '../errors.ts';
import { httpOptions } from '../http/options.ts';
import { inferOptions } from '../infer/options.ts';
import { ingestOptions } from '../ingest/options.ts';
import { type ConfigIssue, configIssues, formatPath } from '../issues.ts';
import { kafkaOptions } from '../kafka/options.ts';
import { registerSecrets } from '../redaction.ts';
import { overlayFolder, overlayPaths } from './overlays.ts';
import { secretsOf } from './secret-values.ts';
import { parseYaml } from './yaml.ts';

/** Bytes of one file: room for ten thousand cameras. */
const MAX_CONFIG_BYTES = 4 << 20;

export const configSchema = z
  .strictObject({
    cameras: z.array(cameraOptions).default([]),
    ingest: ingestOptions.prefault({}),
    detect: detectOptions.prefault({}),
    infer: inferOptions.prefault({}),
    kafka: kafkaOptions,
    cluster: clusterOptions.prefault({}),
    control: controlOptions.prefault({}),
    http: httpOptions.prefault({}),
    dashboard: dashboardOptions.prefault({}),
    log: z
      .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') })
      .prefault({}),
  })
  .superRefine((config, context) => {
    const firstIndex = new Map<string, number>();
    config.cameras.forEach((camera, index) => {
      const first = firstIndex.get(camera.id);
      if (first === undefined) firstIndex.set(camera.id, index);
      else
        context.addIssue({
          code: 'custom',
          path: ['cameras', index, 'id'],
          message: `is also the id of cameras[${first}]; ids must differ`,
        });
    });
  });
export type Config = z.output<typeof configSchema>;

/** A config with all its issues. */
export class ConfigError extends AustreamError {
  readonly issues: readonly ConfigIssue[];

  /** `source` names the config in the message: its file. */
  constructor(
    source: string,
    issues: readonly ConfigIssue[],
    options: { readonly fix?: string; readonly cause?: unknown } = {},
  ) {
    const lines = issues.map(({ path, message }) => (path ? `  ${path}: ${message}` : `  ${message}`));
    super('CONFIG_INVALID', `${source} is not a valid config:\n${lines.join('\n')}`, {
      fix: 'austream.example.yaml shows every key with its default',
      ...options,
    });
    this.issues = issues;
  }
}

/**
 * Loads a config file. The files `*.yaml` of the folder `<file>.d`, if it exists, are overlays, applied in the order of
 * their names: a deployment adds to a config without rewriting it. Throws ConfigError with every issue.
 */
export function loadConfig(file: string, env: NodeJS.ProcessEnv = process.env): Config {
  const { value, files } = configSources(file);
  const [, ...overlays] = files;
  return validate(value, overlays.length === 0 ? file : `${file} with ${overlays.join(', ')}`, env);
}

/** The config as it is written, not validated, and its files. Throws ConfigError. */
export function configSources(file: string): { readonly value: unknown; readonly files: readonly string[] } {
  const files = [file, ...listOverlays(file)];
  return { value: files.map((path) => parse(read(path), path)).reduce(merge), files };
}

function listOverlays(file: string): string[] {
  const folder = overlayFolder(file);
  if (!existsSync(folder)) return [];
  return overlayPaths(
    file,
    accessFile(folder, () => readdirSync(folder)),
  );
}

function read(file: string): string {
  return accessFile(file, () => readBoundedFile(file, MAX_CONFIG_BYTES));
}

function accessFile<T>(path: string, access: () => T): T {
  try {
    return access();
  } catch (cause) {
    const message = `cannot be read: ${(cause as NodeJS.ErrnoException).code}`;
    throw new ConfigError(path, [{ path: '', message }], {
      fix: 'check the path and its permissions',
      cause,
    });
  }
}

function parse(text: string, source: string): unknown {
  const { value, issues } = parseYaml(text);
  if (issues.length > 0)
    throw new ConfigError(
      source,
      issues.map((message) => ({ path: '', message })),
      { fix: 'correct the YAML syntax at the lines that are named' },
    );
  return value ?? {};
}

/** Merges mappings key by key; the overlay's values win. Lists are replaced, not joined. */
function merge(base: unknown, overlay: unknown): unknown {
  if (!isMapping(base) || !isMapping(overlay)) return overlay;
  const merged = Object.entries(overlay).map(([key, value]) => [
    key,
    key in base ? merge(base[key], value) : value,
  ]);
  return { ...base, ...Object.fromEntries(merged) };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function validate(value: unknown, source: string, env: NodeJS.ProcessEnv): Config {
  const issues: ConfigIssue[] = [];
  const substituted = substitute(value, [], env, issues);
  registerSecrets(secretsOf(substituted));
  const result = configSchema.safeParse(substituted);
  if (!result.success) issues.push(...configIssues(result.error));
  if (issues.length > 0 || !result.success) throw new ConfigError(source, issues);
  return result.data;
}

/** Replaces `${NAME}` in every string by the environment variable. A variable that is not set becomes an issue. */
function substitute(
  value: unknown,
  path: PropertyKey[],
  env: NodeJS.ProcessEnv,
  issues: ConfigIssue[],
): unknown {
  if (typeof value === 'string')
    return value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const replacement = env[name];
      if (replacement === undefined)
        issues.push({ path: formatPath(path), message: `the environment variable ${name} is not set` });
      return replacement ?? '';
    });
  if (Array.isArray(value))
    return value.map((item, index) => substitute(item, [...path, index], env, issues));
  if (isMapping(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, substitute(item, [...path, key], env, issues)]),
    );
  return value;
}
