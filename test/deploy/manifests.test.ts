import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { problems } from './checks/index.ts';
import { K8S, type Manifest, OVERLAYS, render, renderTogether } from './render.ts';
import { schemaErrors } from './schemas.ts';
import { kubernetesTools } from './tools.ts';

/** All workloads, so that a component's effect on each is tested. */
const ALL_WORKLOADS = ['base', 'base/run'];
const COMPONENTS = readdirSync(join(K8S, 'components')).sort();
/** A scaler removes `replicas` from the Deployment; a second one finds nothing to remove. */
const TWO_SCALERS = /components\/keda': error in remove for path: '\/spec\/replicas'/;
/**
 * Components that exclude each other, and the error for both together. With kafka-strimzi, reading the lag needs a
 * certificate, so keda-strimzi replaces keda.
 */
const EXCLUSIVE = [
  ['hpa', 'keda', TWO_SCALERS],
  ['hpa', 'keda-strimzi', TWO_SCALERS],
  ['keda', 'keda-strimzi', TWO_SCALERS],
  ['kafka-strimzi', 'keda', /^ScaledObject\/infer: has no TriggerAuthentication in these manifests/m],
  ['model-image', 'model-volume', /components\/model-volume': .*Name:\\?"austream-model\\?".* exists/],
] as const;
const CONCURRENCY = 4;
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

const exclusive = (names: readonly string[]) =>
  EXCLUSIVE.some(([one, other]) => names.includes(one) && names.includes(other));
/** Adds the component that another one requires. */
const withRequired = (names: readonly string[]) =>
  names.includes('keda-strimzi') && !names.includes('kafka-strimzi') ? [...names, 'kafka-strimzi'] : names;

const combinations = COMPONENTS.flatMap((one, index) => [
  [one],
  ...COMPONENTS.slice(index + 1).map((other) => [one, other]),
])
  .map(withRequired)
  .filter((names) => !exclusive(names));

describe('deploy/k8s', () => {
  const rendered = new Map<string, Manifest[]>();

  beforeAll(async () => {
    await kubernetesTools();
    const jobs: (readonly [string, () => Promise<Manifest[]>])[] = [
      ...OVERLAYS.map((name) => [name, () => render(join(K8S, 'overlays', name))] as const),
      ...combinations.map(
        (names) => [names.join(' + '), () => renderTogether(ALL_WORKLOADS, names)] as const,
      ),
    ];
    const work = async () => {
      for (let job = jobs.pop(); job; job = jobs.pop()) rendered.set(job[0], await job[1]());
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
  }, 600_000);

  it.each([...OVERLAYS, ...combinations.map((names) => names.join(' + '))])('%s has no problems', (name) => {
    expect(problems(rendered.get(name)!)).toEqual([]);
  });

  it('uses the images of this version', () => {
    const images = [...rendered.values()].flat().flatMap(({ spec }) => {
      const pod = spec?.template?.spec ?? {};
      return [...(pod.initContainers ?? []), ...(pod.containers ?? [])].map(({ image }) => image as string);
    });
    expect(images.length).toBeGreaterThan(100);
    for (const image of new Set(images))
      expect(image).toMatch(new RegExp(`^austream-(ingest|infer|run):${version}(-(cpu|cuda))?$`));
  });

  it('is valid against the schemas of two Kubernetes versions and of all custom resources', async () => {
    expect(rendered.size).toBe(OVERLAYS.length + combinations.length);
    expect(await schemaErrors([...rendered.values()].flat())).toEqual([]);
  });

  it.each(EXCLUSIVE)(
    '%s and %s together fail to build, or a check reports the conflict',
    async (one, other, expected) => {
      const messages = await renderTogether(ALL_WORKLOADS, withRequired([one, other])).then(
        (objects) => problems(objects).map(({ object, message }) => `${object}: ${message}`),
        (error: Error) => [error.message],
      );
      expect(messages.join('\n')).toMatch(expected);
    },
  );
});
