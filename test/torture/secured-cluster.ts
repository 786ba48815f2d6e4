import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  ResourcePatternTypes,
} from 'kafkajs';
import { KafkaCluster, NODES, type NodeIndex } from '../broker/kafka-cluster.ts';
import { CertificateAuthority } from './certificates.ts';
import type { Random } from './random.ts';

export const PREFIX = 'au.';
/** The Kafka user of the client certificate. */
export const USER = 'CN=client';
const { TOPIC, CLUSTER, GROUP, TRANSACTIONAL_ID } = AclResourceTypes;

/** A fault: it begins, lasts some seconds and is mended. */
export type Fault = (seconds: number) => Promise<void>;

/** Three brokers, a client certificate, the rights of its user, and what can go wrong with them. */
export class SecuredCluster {
  /** A folder of the test. */
  readonly dir: string;
  readonly authority: CertificateAuthority;
  readonly brokers: KafkaCluster;
  admin: Admin;
  readonly #random: Random;

  static async start(random: Random): Promise<SecuredCluster> {
    const dir = mkdtempSync(join(tmpdir(), 'austream-torture-'));
    const authority = new CertificateAuthority(join(dir, 'tls'));
    authority.issueClient(86_400);
    const brokers = await KafkaCluster.start({ ca: authority.ca, keystore: authority.keystore });
    const cluster = new SecuredCluster(dir, authority, brokers, await brokers.admin(), random);
    await cluster.grantRights();
    return cluster;
  }

  private constructor(
    dir: string,
    authority: CertificateAuthority,
    brokers: KafkaCluster,
    admin: Admin,
    random: Random,
  ) {
    this.dir = dir;
    this.authority = authority;
    this.brokers = brokers;
    this.admin = admin;
    this.#random = random;
  }

  /** `kafka` of the config. */
  get connection() {
    const file = (name: string) => join(this.dir, 'tls', name);
    return {
      brokers: this.brokers.secured,
      topicPrefix: PREFIX,
      tls: { ca: this.authority.ca, certificate: file('client.pem'), key: file('client.key') },
    };
  }

  async grantRights(): Promise<void> {
    await this.admin.createAcls({
      acl: [
        this.#acl(TOPIC, PREFIX, AclOperationTypes.ALL, ResourcePatternTypes.PREFIXED),
        this.#acl(GROUP, '*', AclOperationTypes.ALL),
        this.#acl(TRANSACTIONAL_ID, '*', AclOperationTypes.ALL),
        this.#acl(CLUSTER, 'kafka-cluster', AclOperationTypes.CREATE),
        this.#acl(CLUSTER, 'kafka-cluster', AclOperationTypes.DESCRIBE),
      ],
    });
  }

  async replicasInSync(): Promise<boolean> {
    const { topics } = await this.admin.fetchTopicMetadata();
    return topics.every(({ partitions }) =>
      partitions.every(({ isr, replicas }) => isr.length === replicas.length),
    );
  }

  /** A new admin client, after all brokers have restarted. */
  async reconnectAdmin(): Promise<void> {
    await until('an admin client connects', async () => {
      await this.admin.disconnect().catch(() => {});
      this.admin = await this.brokers.admin();
      return true;
    });
  }

  /** SIGKILL for some nodes at once; they start again after some seconds. */
  async killed(nodes: readonly NodeIndex[], seconds: number): Promise<void> {
    await Promise.all(nodes.map((node) => this.brokers.kill9(node)));
    await sleep(seconds * 1000);
    await Promise.all(nodes.map((node) => this.brokers.restart(node)));
    await this.reconnectAdmin();
  }

  /** Faults after which every acknowledged record is still there. */
  faults(topics: readonly string[]): Record<string, Fault> {
    const random = this.#random;
    const pairs: readonly (readonly NodeIndex[])[] = [[0, 1], [1, 2], [0, 2]]; // biome-ignore format: short
    return {
      'one broker killed': (seconds) => this.killed([random.pick(NODES)], seconds),
      'two brokers killed: no quorum': (seconds) => this.killed(random.pick(pairs), seconds),
      'all brokers killed': (seconds) => this.killed(NODES, seconds),
      'one broker wiped': async (seconds) => {
        const node = random.pick(NODES);
        await this.brokers.kill9(node);
        this.brokers.wipe(node);
        await sleep(seconds * 1000);
        await this.brokers.restart(node);
      },
      'no right to write a topic': (seconds) =>
        this.denied(random.pick(topics), AclOperationTypes.WRITE, seconds),
      'all rights taken away': (seconds) =>
        this.denied(PREFIX, AclOperationTypes.ALL, seconds, ResourcePatternTypes.PREFIXED),
      'quota of the user': async (seconds) => {
        const user = ['--entity-type', 'users', '--entity-name', USER];
        await this.brokers.alter(...user, '--add-config', 'producer_byte_rate=2000');
        await sleep(seconds * 1000);
        await this.brokers.alter(...user, '--delete-config', 'producer_byte_rate');
      },
      // Records that waited make large batches.
      'smaller max.message.bytes': async (seconds) => {
        const topic = random.pick(topics);
        await this.denied(topic, AclOperationTypes.WRITE, 6, ResourcePatternTypes.LITERAL, () =>
          this.#set(topic, 'max.message.bytes', '900'),
        );
        await sleep(seconds * 1000);
        await this.#unset(topic, 'max.message.bytes');
      },
      'time stamps refused': async (seconds) => {
        const topic = random.pick(topics);
        await this.#set(topic, 'message.timestamp.before.max.ms', '1');
        await sleep(seconds * 1000);
        await this.#unset(topic, 'message.timestamp.before.max.ms');
      },
      'certificate expires and is renewed': async (seconds) => {
        this.authority.issueClient(8);
        await sleep(10_000);
        await this.killed([random.pick(NODES)], seconds);
        this.authority.issueClient(86_400);
      },
    };
  }

  /** Denies the user an operation for some seconds; `before` runs before the right is given back. */
  async denied(
    topic: string,
    operation: AclOperationTypes,
    seconds: number,
    pattern = ResourcePatternTypes.LITERAL,
    before?: () => Promise<void>,
  ): Promise<void> {
    const deny = this.#acl(TOPIC, topic, operation, pattern, AclPermissionTypes.DENY);
    await this.admin.createAcls({ acl: [deny] });
    await sleep(seconds * 1000);
    await before?.();
    await this.admin.deleteAcls({ filters: [deny] });
  }

  async stop(): Promise<void> {
    await this.admin.disconnect();
    await this.brokers.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #set(topic: string, setting: string, value: string): Promise<void> {
    const of = ['--entity-type', 'topics', '--entity-name', topic];
    await this.brokers.alter(...of, '--add-config', `${setting}=${value}`);
  }

  async #unset(topic: string, setting: string): Promise<void> {
    await this.brokers.alter(
      ...['--entity-type', 'topics', '--entity-name', topic, '--delete-config', setting],
    );
  }

  #acl(
    resourceType: AclResourceTypes,
    resourceName: string,
    operation: AclOperationTypes,
    resourcePatternType = ResourcePatternTypes.LITERAL,
    permissionType = AclPermissionTypes.ALLOW,
  ) {
    return {
      ...{ resourceType, resourceName, resourcePatternType, operation, permissionType },
      ...{ principal: `User:${USER}`, host: '*' },
    };
  }
}

/** Waits for a state; throws after `seconds`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  seconds = 120,
): Promise<void> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    if (await Promise.resolve(condition()).catch(() => false)) return;
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(300);
  }
}
