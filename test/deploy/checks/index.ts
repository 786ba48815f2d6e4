import type { Manifest } from '../render.ts';
import { config } from './config.ts';
import { kafka } from './kafka.ts';
import { network } from './network.ts';
import { podSecurity } from './pod-security.ts';
import { pods } from './pods.ts';
import { references } from './references.ts';
import { scaling } from './scaling.ts';

/** A mistake that an API server accepts, or (pod security) rejects only when it creates pods. */
interface Problem {
  /** Name of the check that found it. */
  readonly check: string;
  /** kind/name. */
  readonly object: string;
  readonly message: string;
}

export type Report = (object: Manifest, message: string) => void;
export type Check = (objects: readonly Manifest[], report: Report) => void;

const CHECKS = { podSecurity, pods, references, config, scaling, network, kafka } satisfies Record<
  string,
  Check
>;

/** Runs all checks. */
export function problems(objects: readonly Manifest[]): Problem[] {
  return Object.entries(CHECKS).flatMap(([check, run]) => {
    const found: Problem[] = [];
    run(objects, ({ kind, metadata }, message) =>
      found.push({ check, object: `${kind}/${metadata?.name}`, message }),
    );
    return found;
  });
}

/** Objects with a pod template. */
export function workloads(objects: readonly Manifest[]): Manifest[] {
  return objects.filter(({ spec }) => spec?.template?.spec?.containers);
}

export function ofKind(objects: readonly Manifest[], kind: string): Manifest[] {
  return objects.filter((object) => object.kind === kind);
}

export function named(objects: readonly Manifest[], kind: string, name: string): Manifest | undefined {
  return ofKind(objects, kind).find(({ metadata }) => metadata.name === name);
}

/** Whether a label selector matches these labels. */
export function selects(selector: Manifest | undefined, labels: Record<string, string> = {}): boolean {
  if (!selector) return false;
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  const expressions: Manifest[] = selector.matchExpressions ?? [];
  return (
    equal &&
    expressions.every(({ key, operator, values }) => {
      const exists = key in labels;
      if (operator === 'Exists') return exists;
      if (operator === 'DoesNotExist') return !exists;
      return values.includes(labels[key]) === (operator === 'In');
    })
  );
}
