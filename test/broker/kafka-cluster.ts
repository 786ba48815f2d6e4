import { type ChildProcess, execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { kafkaJars } from './jars.ts';
import { freePorts, kill9, startJava } from './java.ts';

const CLUSTER_ID = 'YXVzdHJlYW0tdGVzdC1icg';
export const NODES = [0, 1, 2] as const;
export type NodeIndex = (typeof NODES)[number];

/** Paths of PEM files. */
export interface ClusterCertificates {
  readonly ca: string;
  /** Key and certificate of the brokers, for localhost. */
  readonly keystore: string;
}

/**
 * A real Apache Kafka cluster: three nodes, each broker and controller (KRaft), topics in three replicas of which two must
 * have a write. `plain` needs no credentials and has every right; `secured` wants a client certificate and obeys ACLs.
 */
export class KafkaCluster {
  /** host:port of each node, without encryption. */
  readonly plain: readonly string[];
  /** host:port of each node, with TLS and client certificates. */
  readonly secured: readonly string[];
  readonly #dir: string;
  readonly #classpath: string;
  readonly #processes: (ChildProcess | null)[] = [null, null, null];

  static async start(certificates: ClusterCertificates): Promise<KafkaCluster> {
    const classpath = join(await kafkaJars(), '*');
    const dir = mkdtempSync(join(tmpdir(), 'austream-cluster-'));
    const ports = await freePorts(9);
    const cluster = new KafkaCluster(
      dir,
      classpath,
      NODES.map((node) => `127.0.0.1:${ports[node]}`),
      NODES.map((node) => `localhost:${ports[3 + node]}`),
    );
    const voters = NODES.map((node) => `${node + 1}@127.0.0.1:${ports[6 + node]}`).join();
    for (const node of NODES) {
      mkdirSync(join(dir, `node${node}`));
      const properties = {
        'process.roles': 'broker,controller',
        'node.id': node + 1,
        'controller.quorum.voters': voters,
        listeners: [
          `PLAINTEXT://127.0.0.1:${ports[node]}`,
          `SSL://localhost:${ports[3 + node]}`,
          `CONTROLLER://127.0.0.1:${ports[6 + node]}`,
        ].join(),
        'controller.listener.names': 'CONTROLLER',
        'inter.broker.listener.name': 'PLAINTEXT',
        'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL',
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': certificates.keystore,
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': certificates.ca,
        'ssl.client.auth': 'required',
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
        'log.dirs': join(dir, `node${node}`, 'data'),
        'default.replication.factor': 3,
        'min.insync.replicas': 2,
        'offsets.topic.replication.factor': 3,
        'offsets.topic.num.partitions': 3,
        'transaction.state.log.replication.factor': 3,
        'transaction.state.log.min.isr': 2,
        'transaction.state.log.num.partitions': 3,
        'group.initial.rebalance.delay.ms': 0,
        'auto.create.topics.enable': false,
        // A killed node is replaced in seconds: the torture has many of them.
        'broker.session.timeout.ms': 4000,
        'replica.lag.time.max.ms': 4000,
      };
      writeFileSync(
        cluster.#properties(node),
        Object.entries(properties)
          .map(([key, value]) => `${key}=${value}\n`)
          .join(''),
      );
      await promisify(execFile)('java', [
        ...['-cp', classpath, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID],
        ...['-c', cluster.#properties(node)],
      ]);
      cpSync(join(dir, `node${node}`, 'data'), join(dir, `node${node}`, 'formatted'), { recursive: true });
    }
    await Promise.all(NODES.map((node) => cluster.restart(node)));
    return cluster;
  }

  private constructor(dir: string, classpath: string, plain: readonly string[], secured: readonly string[]) {
    this.#dir = dir;
    this.#classpath = classpath;
    this.plain = plain;
    this.secured = secured;
  }

  /** Kills a node with SIGKILL. */
  async kill9(node: NodeIndex): Promise<void> {
    await kill9(this.#processes[node]!);
    this.#processes[node] = null;
  }

  /** Starts a node with the data it has. Resolves when it answers. */
  async restart(node: NodeIndex): Promise<void> {
    this.#processes[node] = await startJava(
      ['-cp', this.#classpath, 'kafka.Kafka', this.#properties(node)],
      join(this.#dir, `node${node}`, 'broker.log'),
      () => this.#answers(node),
    );
  }

  /** Replaces the disk of a killed node by an empty, formatted one. */
  wipe(node: NodeIndex): void {
    const data = join(this.#dir, `node${node}`, 'data');
    rmSync(data, { recursive: true });
    cpSync(join(this.#dir, `node${node}`, 'formatted'), data, { recursive: true });
  }

  /** Changes settings of topics, users … with `kafka-configs --alter`. */
  async alter(...args: readonly string[]): Promise<void> {
    await promisify(execFile)('java', [
      ...['-cp', this.#classpath, 'kafka.admin.ConfigCommand', '--bootstrap-server', this.plain.join()],
      ...['--alter', ...args],
    ]);
  }

  /** A connected admin client with every right. */
  async admin(): Promise<Admin> {
    const admin = new Kafka({ brokers: [...this.plain], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    return admin;
  }

  async stop(): Promise<void> {
    for (const node of NODES) await this.kill9(node);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #properties(node: NodeIndex): string {
    return join(this.#dir, `node${node}`, 'server.properties');
  }

  async #answers(node: NodeIndex): Promise<boolean> {
    const admin = new Kafka({
      brokers: [this.plain[node]!],
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
    }).admin();
    try {
      await admin.connect();
      await admin.describeCluster();
      return true;
    } catch {
      return false;
    } finally {
      await admin.disconnect();
    }
  }
}
