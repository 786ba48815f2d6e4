import { type ChildProcess, execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { kafkaJars } from './jars.ts';
import { freePorts, kill9, startJava } from './java.ts';

const CLUSTER_ID = 'YXVzdHJlYW0tdGVzdC1icg';

export interface BrokerOptions {
  /** Additional lines of server.properties. */
  readonly properties?: Readonly<Record<string, string | number>>;
  /** Protocol of a second listener, at `KafkaBroker.secured`. */
  readonly secured?: 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT';
  /** A third listener for clients in other networks: the addresses to listen on and to advertise. */
  readonly further?: {
    readonly protocol: 'SSL' | 'PLAINTEXT';
    readonly listen: string;
    readonly advertised: string;
  };
  /** SCRAM users in the syntax of `kafka-storage format --add-scram`. */
  readonly scram?: readonly string[];
}

/** A real Apache Kafka broker (KRaft, one node). Its data survives `kill9` and is deleted by `stop`. */
export class KafkaBroker {
  /** host:port without encryption. */
  readonly address: string;
  /** host:port of the secured listener. */
  readonly secured: string;
  readonly #dir: string;
  readonly #classpath: string;
  readonly #scram: readonly string[];
  #process: ChildProcess | null = null;

  static async start(options: BrokerOptions = {}): Promise<KafkaBroker> {
    const jars = await kafkaJars();
    const dir = mkdtempSync(join(tmpdir(), 'austream-kafka-'));
    const [plain, secured, controller] = await freePorts(3);
    const broker = new KafkaBroker(
      ...([dir, join(jars, '*'), `127.0.0.1:${plain}`, `localhost:${secured}`, options.scram ?? []] as const),
    );
    writeFileSync(
      join(dir, 'server.properties'),
      Object.entries({
        'process.roles': 'broker,controller',
        'node.id': 1,
        'controller.quorum.voters': `1@127.0.0.1:${controller}`,
        listeners: [
          `PLAINTEXT://127.0.0.1:${plain}`,
          `CONTROLLER://127.0.0.1:${controller}`,
          ...(options.secured ? [`${options.secured}://localhost:${secured}`] : []),
          ...(options.further ? [`FURTHER://${options.further.listen}`] : []),
        ].join(),
        ...(options.further && {
          'advertised.listeners': `PLAINTEXT://127.0.0.1:${plain},FURTHER://${options.further.advertised}`,
        }),
        'controller.listener.names': 'CONTROLLER',
        'inter.broker.listener.name': 'PLAINTEXT',
        'listener.security.protocol.map': [
          'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
          ...(options.secured ? [`${options.secured}:${options.secured}`] : []),
          ...(options.further ? [`FURTHER:${options.further.protocol}`] : []),
        ].join(),
        'log.dirs': join(dir, 'data'),
        'offsets.topic.replication.factor': 1,
        'offsets.topic.num.partitions': 4,
        'transaction.state.log.replication.factor': 1,
        'transaction.state.log.min.isr': 1,
        'transaction.state.log.num.partitions': 4,
        'group.initial.rebalance.delay.ms': 0,
        'auto.create.topics.enable': false,
        ...options.properties,
      })
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    await broker.#format();
    await broker.restart();
    return broker;
  }

  private constructor(
    dir: string,
    classpath: string,
    address: string,
    secured: string,
    scram: readonly string[],
  ) {
    this.#scram = scram;
    this.#dir = dir;
    this.#classpath = classpath;
    this.address = address;
    this.secured = secured;
  }

  /** Removes a SCRAM user. Existing connections of this user stay open. */
  async removeUser(name: string): Promise<void> {
    await promisify(execFile)('java', [
      ...['-cp', this.#classpath, 'kafka.admin.ConfigCommand', '--bootstrap-server', this.address, '--alter'],
      ...['--delete-config', 'SCRAM-SHA-256', '--entity-type', 'users', '--entity-name', name],
    ]);
  }

  /** Kills the broker with SIGKILL. */
  async kill9(): Promise<void> {
    await kill9(this.#process);
    this.#process = null;
  }

  /** Starts the broker with its existing data. Resolves when it answers. */
  async restart(): Promise<void> {
    this.#process = await startJava(
      ['-cp', this.#classpath, 'kafka.Kafka', join(this.#dir, 'server.properties')],
      join(this.#dir, 'broker.log'),
      () => this.#isReady(),
    );
  }

  /** Replaces the data of a killed broker by an empty, formatted folder. */
  async wipe(): Promise<void> {
    rmSync(join(this.#dir, 'data'), { recursive: true });
    await this.#format();
  }

  async stop(): Promise<void> {
    await kill9(this.#process);
    this.#process = null;
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #format(): Promise<void> {
    const users = this.#scram.flatMap((user) => ['--add-scram', user]);
    await promisify(execFile)('java', [
      ...['-cp', this.#classpath, 'kafka.tools.StorageTool', 'format'],
      ...['-t', CLUSTER_ID, '-c', join(this.#dir, 'server.properties'), ...users],
    ]);
  }

  async #isReady(): Promise<boolean> {
    const admin = new Kafka({
      brokers: [this.address],
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
    }).admin();
    try {
      await admin.connect();
      return (await admin.describeCluster()).brokers.length === 1;
    } catch {
      return false;
    } finally {
      await admin.disconnect();
    }
  }
}
