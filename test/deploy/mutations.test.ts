import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { problems } from './checks/index.ts';
import { K8S, type Manifest, render, renderTogether } from './render.ts';
import { schemaErrors } from './schemas.ts';

type Find = (kind: string, name: string) => Manifest;
/** A mistake in `gpu-cluster`, and the check that must report it. */
type Mutation = readonly [
  what: string,
  caughtBy: string,
  change: (find: Find, objects: Manifest[]) => unknown,
];

const pod = (find: Find, name = 'infer'): Manifest => find('Deployment', name).spec.template.spec;
const container = (find: Find, name = 'infer'): Manifest => pod(find, name).containers[0];
const sources = (find: Find, name = 'infer'): Manifest[] => pod(find, name).volumes[0].projected.sources;
const without = (objects: Manifest[], kind: string, name: string) =>
  objects.splice(
    objects.findIndex((object) => object.kind === kind && object.metadata.name === name),
    1,
  );
/** Replaces a text in all ConfigMaps. */
const inConfig = (objects: Manifest[], from: string, to: string) => {
  const maps = objects.filter(
    ({ kind, data }) => kind === 'ConfigMap' && JSON.stringify(data).includes(from),
  );
  if (maps.length === 0) throw new Error(`no ConfigMap contains ${from}`);
  for (const { data } of maps) for (const key of Object.keys(data)) data[key] = data[key].replace(from, to);
};

const MUTATIONS: readonly Mutation[] = [
  ['a dropped seccomp profile', 'podSecurity', (find) => delete pod(find).securityContext.seccompProfile],
  ['dropped capabilities', 'podSecurity', (find) => delete container(find).securityContext.capabilities],
  ['root', 'podSecurity', (find) => (pod(find, 'ingest').securityContext.runAsUser = 0)],
  [
    'a path of the host',
    'podSecurity',
    (find) => (pod(find).volumes[1] = { name: 'cache', hostPath: { path: '/' } }),
  ],
  [
    'a namespace at level baseline',
    'podSecurity',
    (find) =>
      (find('Namespace', 'austream').metadata.labels['pod-security.kubernetes.io/enforce'] = 'baseline'),
  ],
  [
    'a writable root file system',
    'pods',
    (find) => delete container(find).securityContext.readOnlyRootFilesystem,
  ],
  ['a mounted API token', 'pods', (find) => delete pod(find).automountServiceAccountToken],
  ['no memory limit', 'pods', (find) => delete container(find).resources.limits.memory],
  ['image latest', 'pods', (find) => (container(find).image = 'austream-infer:latest')],
  ['image without tag', 'pods', (find) => (container(find).image = 'austream-infer')],
  ['a probe of another port', 'pods', (find) => (container(find).readinessProbe.httpGet.port = 'metrics')],
  ['a probe of another path', 'pods', (find) => (container(find).livenessProbe.httpGet.path = '/readyz')],
  [
    'a grace period shorter than a transaction',
    'pods',
    (find) => (pod(find).terminationGracePeriodSeconds = 10),
  ],
  ['no toleration for GPU nodes', 'pods', (find) => delete pod(find).tolerations],
  ['no GPU product', 'pods', (find) => delete pod(find).affinity],
  ['a missing volume', 'pods', (find) => (container(find).volumeMounts[1].name = 'cash')],
  [
    'a topology spread that selects other pods',
    'pods',
    (find) => (pod(find).topologySpreadConstraints[0].labelSelector.matchLabels = { app: 'infer' }),
  ],
  [
    'a Service that selects nothing',
    'references',
    (find) => (find('Service', 'infer').spec.selector['app.kubernetes.io/component'] = 'inference'),
  ],
  [
    'a Service with an unknown port',
    'references',
    (find) => (find('Service', 'infer').spec.ports[0].targetPort = 'https'),
  ],
  [
    'a disruption budget that selects nothing',
    'references',
    (find) => (find('PodDisruptionBudget', 'infer').spec.selector.matchLabels = { app: 'infer' }),
  ],
  ['a wrong ConfigMap', 'references', (find) => (sources(find)[0]!.configMap.name = 'austream-config')],
  [
    'a wrong key of a ConfigMap',
    'references',
    (find) => (sources(find)[0]!.configMap.items[0].key = 'config.yaml'),
  ],
  [
    'a wrong key of a secret',
    'references',
    (find) => (sources(find).at(-1)!.secret.items[0].key = 'tls.crt'),
  ],
  [
    'a secret that does not exist',
    'references',
    (find) => (sources(find).at(-1)!.secret.name = 'kafka-user'),
  ],
  ['no KafkaUser', 'references', (_, objects) => without(objects, 'KafkaUser', 'austream-infer')],
  ['no ServiceAccount', 'references', (_, objects) => without(objects, 'ServiceAccount', 'infer')],
  ['no PriorityClass', 'references', (_, objects) => without(objects, 'PriorityClass', 'austream-ingest')],
  ['no namespace', 'references', (_, objects) => without(objects, 'Namespace', 'austream')],
  [
    'a monitor with an unknown port',
    'references',
    (find) => (find('PodMonitor', 'austream').spec.podMetricsEndpoints[0].port = 'metrics'),
  ],
  ['a misspelled config key', 'config', (_, objects) => inConfig(objects, 'cameras: topic', 'camera: topic')],
  ['an unknown flag', 'config', (find) => container(find).args.push('--gpu')],
  ['an unknown command', 'config', (find) => (container(find).args[0] = 'inference')],
  ['a missing config file', 'config', (find) => (container(find).args[2] = '/etc/austream.yaml')],
  [
    'a port that the container does not declare',
    'config',
    (_, objects) => inConfig(objects, 'port: 8080', 'port: 9090'),
  ],
  ['a server on loopback', 'config', (_, objects) => inConfig(objects, 'host: 0.0.0.0', 'host: 127.0.0.1')],
  ['a certificate that is not mounted', 'config', (find) => sources(find).pop()],
  ['no GPU for device cuda', 'config', (find) => delete container(find).resources.limits['nvidia.com/gpu']],
  ['a GPU for device cpu', 'config', (_, objects) => inConfig(objects, 'device: cuda', 'device: cpu')],
  [
    'cameras in the config of two workers',
    'config',
    (_, objects) => inConfig(objects, 'cameras: topic', 'cameras: config'),
  ],
  [
    'a scaler without a target',
    'scaling',
    (find) => (find('ScaledObject', 'infer').spec.scaleTargetRef.name = 'inference'),
  ],
  ['a scaler beside replicas', 'scaling', (find) => (find('Deployment', 'infer').spec.replicas = 2)],
  [
    'the lag of another group',
    'scaling',
    (find) => (find('ScaledObject', 'infer').spec.triggers[0].metadata.consumerGroup = 'austream'),
  ],
  [
    'the lag of another topic',
    'scaling',
    (find) => (find('ScaledObject', 'infer').spec.triggers[0].metadata.topic = 'au.frames'),
  ],
  [
    'the lag on other brokers',
    'scaling',
    (find) => (find('ScaledObject', 'infer').spec.triggers[0].metadata.bootstrapServers = 'kafka:9093'),
  ],
  [
    'more workers than partitions',
    'scaling',
    (find) => (find('ScaledObject', 'infer').spec.maxReplicaCount = 64),
  ],
  [
    'no authentication for reading the lag',
    'scaling',
    (_, objects) => without(objects, 'TriggerAuthentication', 'kafka'),
  ],
  [
    'egress to everywhere',
    'network',
    (find) => (find('NetworkPolicy', 'cameras').spec.egress[0].to = [{ ipBlock: { cidr: '0.0.0.0/0' } }]),
  ],
  ['egress to every port', 'network', (find) => delete find('NetworkPolicy', 'cameras').spec.egress[0].ports],
  [
    'ingress from everywhere',
    'network',
    (find) => delete find('NetworkPolicy', 'scrape').spec.ingress[0].from,
  ],
  [
    'brokers on a closed port',
    'network',
    (find) => (find('NetworkPolicy', 'kafka-strimzi').spec.egress[0].ports[0].port = 9092),
  ],
  ['no default denial', 'network', (_, objects) => without(objects, 'NetworkPolicy', 'deny-all')],
  ['no DNS', 'network', (_, objects) => without(objects, 'NetworkPolicy', 'dns')],
  ['cameras for inference', 'network', (find) => (find('NetworkPolicy', 'cameras').spec.podSelector = {})],
  [
    'a topic with fewer partitions',
    'kafka',
    (find) => (find('KafkaTopic', 'au.infer-state').spec.partitions = 6),
  ],
  [
    'a topic without compaction',
    'kafka',
    (find) => (find('KafkaTopic', 'au.camera-config').spec.config['cleanup.policy'] = 'delete'),
  ],
  ['no topic', 'kafka', (_, objects) => without(objects, 'KafkaTopic', 'au.frames')],
  [
    'rights on another topic',
    'kafka',
    (find) => (find('KafkaUser', 'austream-infer').spec.authorization.acls[0].resource.name = 'au.crop'),
  ],
  [
    'a worker that may write to the camera topic',
    'kafka',
    (find) => {
      const { acls } = find('KafkaUser', 'austream-ingest').spec.authorization;
      acls
        .find(({ resource }: { resource: { name: string } }) => resource.name === 'au.camera-config')
        .operations.push('Write');
    },
  ],
  [
    'a user who may write to it by a prefix',
    'kafka',
    (find) => {
      const [acl] = find('KafkaUser', 'austream-infer').spec.authorization.acls;
      acl.resource = { type: 'topic', name: 'au.', patternType: 'prefix' };
      acl.operations = ['All'];
    },
  ],
  ['topics of another Kafka', 'kafka', (find) => (find('Kafka', 'kafka').metadata.name = 'events')],
  ['a misspelled field', 'schema', (find) => (container(find).readynessProbe = {})],
  [
    'a boolean instead of a number',
    'schema',
    (find) => (find('PodDisruptionBudget', 'infer').spec.maxUnavailable = true),
  ],
  [
    'a misspelled field of Strimzi',
    'schema',
    (find) => (find('Kafka', 'kafka').spec.kafka.listeners[0].prot = 1),
  ],
  ['a misspelled field of KEDA', 'schema', (find) => (find('ScaledObject', 'infer').spec.maxReplicas = 3)],
  [
    'a removed API version',
    'schema',
    (find) => (find('PodDisruptionBudget', 'infer').apiVersion = 'policy/v1beta1'),
  ],
];

describe('mutations of gpu-cluster', () => {
  let original: Manifest[];
  const schemaErrorsOf = new Map<string, string[]>();

  function mutated([, , change]: Mutation): Manifest[] {
    const objects = structuredClone(original);
    change((kind, name) => {
      const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
      if (!found) throw new Error(`no ${kind} ${name}`);
      return found;
    }, objects);
    expect(objects).not.toEqual(original);
    return objects;
  }

  beforeAll(async () => {
    original = await render(join(K8S, 'overlays/gpu-cluster'));
    expect(problems(original)).toEqual([]);
    const changes = MUTATIONS.filter(([, caughtBy]) => caughtBy === 'schema');
    // Each changed object gets a unique name, so that one validator run checks all of them.
    const unchanged = new Set(original.map((object) => JSON.stringify(object)));
    const objects = changes.flatMap((mutation) =>
      mutated(mutation)
        .filter((object) => !unchanged.has(JSON.stringify(object)))
        .map((object) => ({ ...object, metadata: { ...object.metadata, name: mutation[0] } })),
    );
    const errors = await schemaErrors(objects);
    for (const [what] of changes)
      schemaErrorsOf.set(
        what,
        errors.filter((error) => error.includes(`/${what}:`)),
      );
  }, 600_000);

  it.each(MUTATIONS)('%s is reported by %s', (...mutation) => {
    const [what, caughtBy] = mutation;
    if (caughtBy === 'schema') expect(schemaErrorsOf.get(what)).not.toEqual([]);
    else expect(problems(mutated(mutation)).map(({ check }) => check)).toContain(caughtBy);
  });
});

describe('mutations of single-node with more components', () => {
  it.each([
    ['a live page without its token', 'config', 'dashboard', 'AUSTREAM_TOKEN'],
    ['a collector on a closed port', 'network', 'otel', ':4318'],
    ['a registry on a closed port', 'network', 'registry', ':8081'],
  ])('%s is reported by %s', async (_, caughtBy, component, text) => {
    const objects = await renderTogether(['overlays/single-node'], [component]);
    expect(problems(objects)).toEqual([]);
    const changed = JSON.parse(
      JSON.stringify(objects).replace(text, text.startsWith(':') ? ':9999' : 'TOKEN'),
    );
    expect(problems(changed).map(({ check }) => check)).toContain(caughtBy);
  });
});
