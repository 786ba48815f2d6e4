import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { cameraOptions } from '../camera/options.ts';
import { clusterOptions } from '../cluster/options.ts';
import { controlOptions } from '../control/options.ts';
import { detectOptions } from '../detect/options.ts';
import { AustreamError } from '../errors.ts';
import { httpOptions } from '../http/options.ts';
import { inferOptions } from '../infer/options.ts';
import { ingestOptions } from '../ingest/options.ts';
import { type ConfigIssue, configIssues, showPath } from '../issues.ts';
import { kafkaOptions } from '../kafka/options.ts';
import { parseYaml } from './yaml.ts';

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
    log: z
      .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') })
      .prefault({}),
  })
  .superRefine((config, context) => {
    const seen = new Map<string, number>();
    config.cameras.forEach((camera, index) => {
      const first = seen.get(camera.id);
      if (first === undefined) seen.set(camera.id, index);
      else
        context.addIssue({
          code: 'custom',
          path: ['cameras', index, 'id'],
          message: `is also the id of cameras[${first}]; ids must differ`,
        });
    });
  });
export type Config = z.output<typeof configSchema>;

/** All mistakes of a config at once. */
export class ConfigError extends AustreamError {
  readonly issues: readonly ConfigIssue[];

  constructor(source: string, mistakes: readonly ConfigIssue[]) {
    const lines = mistakes.map(({ path, message }) => (path ? `  ${path}: ${message}` : `  ${message}`));
    super('CONFIG_INVALID', `${source} is not a valid config:\n${lines.join('\n')}`);
    this.issues = mistakes;
  }
}

/**
 * Reads and checks a config file and, laid over it in the order of their names, the files `*.yaml` of the folder
 * `<file>.d`, where there is one: what a deployment adds without writing the whole anew. Throws ConfigError with every
 * mistake.
 */
export function loadConfig(file: string, env: NodeJS.ProcessEnv = process.env): Config {
  const parts = partsOf(`${file}.d`);
  const whole = [file, ...parts].map((part) => parse(read(part), part)).reduce(overlay);
  return check(whole, parts.length === 0 ? file : `${file} with ${parts.join(', ')}`, env);
}

/** Checks the text of a config. `source` names it in messages. */
export function parseConfig(text: string, source: string, env: NodeJS.ProcessEnv = process.env): Config {
  return check(parse(text, source), source, env);
}

function partsOf(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = attempt(folder, () => readdirSync(folder)).filter((name) => name.endsWith('.yaml'));
  return names.sort().map((name) => join(folder, name));
}

function read(file: string): string {
  return attempt(file, () => readFileSync(file, 'utf8'));
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new ConfigError(path, [
      { path: '', message: `cannot be read: ${(cause as NodeJS.ErrnoException).code}` },
    ]);
  }
}

function parse(text: string, source: string): unknown {
  const { value, mistakes } = parseYaml(text);
  if (mistakes.length > 0)
    throw new ConfigError(
      source,
      mistakes.map((message) => ({ path: '', message })),
    );
  return value ?? {};
}

/** Keys of `over` win; where both have a mapping, theirs are joined. Lists are taken whole. */
function overlay(under: unknown, over: unknown): unknown {
  if (!isMapping(under) || !isMapping(over)) return over;
  const joined = Object.entries(over).map(([key, value]) => [
    key,
    key in under ? overlay(under[key], value) : value,
  ]);
  return { ...under, ...Object.fromEntries(joined) };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function check(given: unknown, source: string, env: NodeJS.ProcessEnv): Config {
  const mistakes: ConfigIssue[] = [];
  const value = substitute(given, [], env, mistakes);
  const result = configSchema.safeParse(value);
  if (!result.success) mistakes.push(...configIssues(result.error));
  if (mistakes.length > 0 || !result.success) throw new ConfigError(source, mistakes);
  return result.data;
}

/** Replaces `${NAME}` in every string by the environment's value, noting each name that is not set. */
function substitute(
  value: unknown,
  path: PropertyKey[],
  env: NodeJS.ProcessEnv,
  mistakes: ConfigIssue[],
): unknown {
  if (typeof value === 'string')
    return value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const found = env[name];
      if (found === undefined)
        mistakes.push({ path: showPath(path), message: `the environment variable ${name} is not set` });
      return found ?? '';
    });
  if (Array.isArray(value))
    return value.map((item, index) => substitute(item, [...path, index], env, mistakes));
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, substitute(item, [...path, key], env, mistakes)]),
    );
  return value;
}
