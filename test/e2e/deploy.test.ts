import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { Simulator } from '../../src/simulate/simulator.ts';
import { K8S, render } from '../deploy/render.ts';
import { ClusterNetwork, type PodNetwork } from '../deploy/sandbox/network.ts';
import {
  type ConfigMap,
  type Deployment,
  type KubernetesObject,
  type NetworkPolicy,
  named,
  ofKind,
} from '../deploy/sandbox/objects.ts';
import { httpStatus, Pod } from '../deploy/sandbox/pod.ts';
import { firewall, REJECTED } from '../deploy/sandbox/policy.ts';
import { Strimzi } from '../deploy/sandbox/strimzi.ts';
import { Austream, DEMO_CLIP, descendantsOf } from './austream.ts';
import { TopicReader } from './deploy-topics.ts';

const OVERLAY = 'gpu-cluster';
const PASSWORD = 'kwis4tz-h4d3r4ch';
const SECONDS = 1_000;

/**
 * Runs an overlay's pods as processes with the arguments, mounts, users and NetworkPolicies of its manifests. There is no
 * GPU: `infer.device` is cpu, and the GPU limit is ignored. Everything else is the overlay's own.
 */
const network = new ClusterNetwork();
const [kafka, camera, outsider] = [network.address(201), network.address(202), network.address(203)];
const listeners: Server[] = [];
let strimzi: Strimzi;
let simulator: Simulator;
let topics: TopicReader;
let objects: KubernetesObject[];
let pods: Record<'ingest' | 'infer', PodNetwork>;

beforeAll(async () => {
  objects = (await render(join(K8S, 'overlays', OVERLAY))) as KubernetesObject[];
  pods = { ingest: network.pod(), infer: network.pod() };
  const namespace = { 'kubernetes.io/metadata.name': 'austream' };
  const brokerPod = {
    address: kafka,
    namespace,
    labels: { 'strimzi.io/name': 'kafka-kafka', 'strimzi.io/cluster': 'kafka' },
  };
  for (const component of ['ingest', 'infer'] as const)
    network.enforce(
      pods[component],
      firewall(ofKind<NetworkPolicy>(objects, 'NetworkPolicy').map(withSimulatorAddress), {
        labels: deployment(component).spec.template.metadata.labels,
        namespace,
        peers: [brokerPod],
        node: pods[component].node,
      }),
    );
  [strimzi, simulator] = await Promise.all([
    Strimzi.start(objects, kafka, 4),
    Simulator.start({ sources: [DEMO_CLIP], host: camera, port: 554, user: 'viewer', password: PASSWORD }),
    listen(kafka, 9_999),
    listen(camera, 80),
  ]);
}, 120 * SECONDS);

afterAll(async () => {
  await topics?.[Symbol.asyncDispose]();
  for (const server of listeners) server.close();
  await Promise.all([simulator?.stop(), strimzi?.stop()]);
  network[Symbol.dispose]();
});

function deployment(component: string): Deployment {
  return named<Deployment>(objects, 'Deployment', (name) => name === component);
}

/** Replaces the placeholder of the cameras' network by the simulator's address. */
function withSimulatorAddress(policy: NetworkPolicy): NetworkPolicy {
  return JSON.parse(JSON.stringify(policy).replaceAll('"192.0.2.0/24"', `"${camera}/32"`));
}

function listen(host: string, port: number): Promise<void> {
  const server = createServer((socket) => socket.end());
  listeners.push(server);
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
}

function start(component: 'ingest' | 'infer', hosts = strimzi.hosts): Promise<Pod> {
  const configMaps = ofKind<ConfigMap>(objects, 'ConfigMap').map((map) => ({
    ...map,
    data: Object.fromEntries(Object.entries(map.data).map(([key, text]) => [key, withCpuDevice(text)])),
  }));
  return Pod.start(deployment(component), {
    network: pods[component],
    configMaps,
    secrets: { ...strimzi.secrets, cameras: { lobby: PASSWORD } },
    hosts,
  });
}

function withCpuDevice(text: string): string {
  const config = parse(text);
  return config.infer?.device === undefined
    ? text
    : stringify({ ...config, infer: { ...config.infer, device: 'cpu' } });
}

async function waitUntilReady(pod: Pod): Promise<void> {
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const)
    await expect
      .poll(async () => (pod.running ? await pod.probe(probe) : 'ended'), { timeout: 60 * SECONDS })
      .toSatisfy((answer) => answer === 200 || answer === 'ended');
  if (!pod.running) throw new Error(`the pod has exited:\n${pod.stderr}`);
}

/** Stops a pod as the kubelet does, and checks that it exits within its grace period with `code`. */
async function expectGracefulExit(pod: Pod, component: string, code = 0): Promise<void> {
  const grace = deployment(component).spec.template.spec.terminationGracePeriodSeconds!;
  pod.terminate();
  const late = AbortSignal.timeout(grace * SECONDS);
  const killed = new Promise<string>((resolve) => late.addEventListener('abort', () => resolve('killed')));
  expect(await Promise.race([pod.exited, killed])).toBe(code);
}

it(
  'pods become ready, score a camera, are isolated, and lose or repeat no event when they are replaced',
  async () => {
    await using ingest = await start('ingest');
    await using first = await start('infer');
    await Promise.all([waitUntilReady(ingest), waitUntilReady(first)]);

    await using adding = new Austream([
      ...['cameras', 'add', 'lobby', '--url', simulator.urls[0]!, '--username', 'viewer'],
      ...['--password', '${file:/etc/austream/secrets/cameras/lobby}', '--brokers', strimzi.broker.address],
    ]);
    expect(await adding.exited).toBe(0);
    topics = new TopicReader(strimzi.broker.address);
    const progress = (frames: number) =>
      expect.poll(() => topics.frames.length, { timeout: 60 * SECONDS }).toBeGreaterThan(frames);
    await progress(30);

    // Users, capabilities and writable paths.
    for (const pod of [ingest, first]) {
      for (const pid of [pod.pid, ...(await descendantsOf(pod.pid))]) {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        expect(status).toMatch(/^Uid:\t10001\t10001\t10001\t10001$/m);
        expect(status).toMatch(/^Gid:\t10001\t10001\t10001\t10001$/m);
        for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'])
          expect(status).toMatch(new RegExp(`^Cap${set}:\\t0+$`, 'm'));
        expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      }
      const write = (path: string) => pod.exec('sh', '-c', `echo x > ${path}`);
      for (const path of ['/x', '/opt/austream/x', '/etc/austream/x', '/usr/x', '/var/x'])
        expect((await write(path)).output).toMatch(/Read-only file system/);
      for (const path of ['/tmp/x', '/var/cache/austream/x'])
        expect(await write(path)).toEqual({ status: 0, output: '' });
    }

    // Connections that the policies allow; every address below has a listener.
    const connections = async (pod: Pod) => ({
      kafka: await pod.connect(kafka, 9093),
      'another port of kafka': await pod.connect(kafka, 9999),
      camera: await pod.connect(camera, 554),
      'another port of the camera': await pod.connect(camera, 80),
    });
    const blocked = { 'another port of kafka': REJECTED, 'another port of the camera': REJECTED };
    expect(await connections(ingest)).toEqual({ kafka: 'open', camera: 'open', ...blocked });
    expect(await connections(first)).toEqual({ kafka: 'open', camera: REJECTED, ...blocked });
    for (const { address } of Object.values(pods))
      expect(await httpStatus(address, 8080, '/healthz', outsider)).toBe(REJECTED);

    // The inference pod is replaced while crops arrive; then the ingest pod stops, and all its crops are scored.
    await expectGracefulExit(first, 'infer');
    await using second = await start('infer');
    await waitUntilReady(second);
    await progress(topics.frames.length + 30);
    await expectGracefulExit(ingest, 'ingest');
    await expect.poll(() => topics.lag('austream-infer', 'au.crops'), { timeout: 60 * SECONDS }).toBe(0);
    await expectGracefulExit(second, 'infer');
    expect(await topics.lag('austream-infer', 'au.crops')).toBe(0);
    await expect.poll(() => new Set(topics.frames), { timeout: 30 * SECONDS }).toEqual(new Set(topics.crops));
    expect(topics.frames.length).toBe(topics.crops.length);
    expect(topics.frames.length).toBeGreaterThan(60);

    for (const pod of [ingest, first, second]) expect(pod.stdout + pod.stderr).not.toContain(PASSWORD);
  },
  400 * SECONDS,
);

it(
  'a pod that is still starting exits on SIGTERM',
  async () => {
    await using pod = await start(
      'infer',
      Object.fromEntries(Object.keys(strimzi.hosts).map((name) => [name, outsider])),
    );
    const processes = () => descendantsOf(pod.pid).then(({ length }) => length);
    await expect.poll(processes, { timeout: 30 * SECONDS, interval: 5 }).toBeGreaterThan(0);
    expect(await pod.probe('startupProbe')).toBe('ECONNREFUSED');
    await expectGracefulExit(pod, 'infer', 128 + 15);
  },
  150 * SECONDS,
);
