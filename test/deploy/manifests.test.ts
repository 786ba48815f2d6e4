import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { problems } from './checks/index.ts';
import { K8S, type Manifest, OVERLAYS, render, renderTogether } from './render.ts';
import { schemaMistakes } from './schemas.ts';
import { kubernetesTools } from './tools.ts';

/** All workloads at once: what a component does to each of them shows. */
const EVERYTHING = ['base', 'base/run'];
const COMPONENTS = readdirSync(join(K8S, 'components')).sort();
/** Who says how many workers there are takes the number away; it is there once. */
const TWO_SCALERS = /components\/keda': error in remove for path: '\/spec\/replicas'/;
/**
 * Alternatives to each other, and how whoever takes both is told; where Kafka asks who reads the lag, keda-strimzi takes
 * keda's place.
 */
const EITHER = [
  ['hpa', 'keda', TWO_SCALERS],
  ['hpa', 'keda-strimzi', TWO_SCALERS],
  ['keda', 'keda-strimzi', TWO_SCALERS],
  ['kafka-strimzi', 'keda', /^ScaledObject\/infer: has no TriggerAuthentication that is made here/m],
  ['model-image', 'model-volume', /components\/model-volume': .*Name:\\?"austream-model\\?".* exists/],
] as const;
const AT_ONCE = 4;
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

const excluded = (names: readonly string[]) =>
  EITHER.some(([one, other]) => names.includes(one) && names.includes(other));
/** What a component cannot be without. */
const whole = (names: readonly string[]) =>
  names.includes('keda-strimzi') && !names.includes('kafka-strimzi') ? [...names, 'kafka-strimzi'] : names;

const combinations = COMPONENTS.flatMap((one, index) => [
  [one],
  ...COMPONENTS.slice(index + 1).map((other) => [one, other]),
])
  .map(whole)
  .filter((names) => !excluded(names));

describe('deploy/k8s', () => {
  const built = new Map<string, Manifest[]>();

  beforeAll(async () => {
    await kubernetesTools();
    const jobs: (readonly [string, () => Promise<Manifest[]>])[] = [
      ...OVERLAYS.map((name) => [name, () => render(join(K8S, 'overlays', name))] as const),
      ...combinations.map((names) => [names.join(' + '), () => renderTogether(EVERYTHING, names)] as const),
    ];
    const work = async () => {
      for (let job = jobs.pop(); job; job = jobs.pop()) built.set(job[0], await job[1]());
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }, 600_000);

  it.each([...OVERLAYS, ...combinations.map((names) => names.join(' + '))])('%s has no mistake', (name) => {
    expect(problems(built.get(name)!)).toEqual([]);
  });

  it('takes the images of this version', () => {
    const images = [...built.values()].flat().flatMap(({ spec }) => {
      const pod = spec?.template?.spec ?? {};
      return [...(pod.initContainers ?? []), ...(pod.containers ?? [])].map(({ image }) => image as string);
    });
    expect(images.length).toBeGreaterThan(100);
    for (const image of new Set(images))
      expect(image).toMatch(new RegExp(`^austream-(ingest|infer|run):${version}(-(cpu|cuda))?$`));
  });

  it('is valid by the schemas of two versions of Kubernetes and of every custom resource', async () => {
    expect(built.size).toBe(OVERLAYS.length + combinations.length);
    expect(await schemaMistakes([...built.values()].flat())).toEqual([]);
  });

  it.each(EITHER)(
    '%s and %s do not build together, or are told from each other',
    async (one, other, told) => {
      const found = await renderTogether(EVERYTHING, whole([one, other])).then(
        (objects) => problems(objects).map(({ object, message }) => `${object}: ${message}`),
        (error: Error) => [error.message],
      );
      expect(found.join('\n')).toMatch(told);
    },
  );
});
