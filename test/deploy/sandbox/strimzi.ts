import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { KafkaBroker } from '../../broker/kafka-broker.ts';
import { type KubernetesObject, ofKind } from './objects.ts';

interface KafkaTopic {
  readonly kind: 'KafkaTopic';
  readonly metadata: { readonly name: string };
  readonly spec: { readonly partitions: number; readonly config: Readonly<Record<string, string | number>> };
}

interface KafkaUser {
  readonly kind: 'KafkaUser';
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly authorization: {
      readonly acls: readonly {
        readonly resource: { readonly type: string; readonly name: string; readonly patternType?: string };
        readonly operations: readonly string[];
      }[];
    };
  };
}

const HOST = 'kafka-kafka-bootstrap';
const RESOURCES: Record<string, AclResourceTypes> = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  transactionalId: AclResourceTypes.TRANSACTIONAL_ID,
};

/**
 * Does on one real broker what the Strimzi operator would do for an overlay's Kafka: a TLS listener that requires client
 * certificates, the topics, and a certificate (as a Secret) and ACLs for each user. All other access is denied.
 */
export class Strimzi {
  readonly broker: KafkaBroker;
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Host names that must resolve to `address`. */
  readonly hosts: Readonly<Record<string, string>>;
  readonly #dir: string;

  /** `partitions`: upper limit for the topics' partitions. */
  static async start(
    objects: readonly KubernetesObject[],
    address: string,
    partitions: number,
  ): Promise<Strimzi> {
    const dir = mkdtempSync(join(tmpdir(), 'austream-strimzi-'));
    const users = ofKind<KafkaUser>(objects, 'KafkaUser');
    const secrets = certificates(
      dir,
      users.map(({ metadata }) => metadata.name),
    );
    const broker = await KafkaBroker.start({
      further: { protocol: 'SSL', listen: `${address}:9093`, advertised: `${HOST}:9093` },
      properties: {
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': join(dir, 'keystore.pem'),
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': join(dir, 'ca.crt'),
        'ssl.client.auth': 'required',
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        // The test and the broker itself use the plain listener.
        'super.users': 'User:ANONYMOUS',
      },
    });
    const strimzi = new Strimzi(broker, secrets, { [HOST]: address }, dir);
    await strimzi.#create(ofKind<KafkaTopic>(objects, 'KafkaTopic'), users, partitions);
    return strimzi;
  }

  private constructor(
    broker: KafkaBroker,
    secrets: Strimzi['secrets'],
    hosts: Strimzi['hosts'],
    dir: string,
  ) {
    this.broker = broker;
    this.secrets = secrets;
    this.hosts = hosts;
    this.#dir = dir;
  }

  async stop(): Promise<void> {
    await this.broker.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #create(
    topics: readonly KafkaTopic[],
    users: readonly KafkaUser[],
    partitions: number,
  ): Promise<void> {
    const admin = new Kafka({ brokers: [this.broker.address], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      await admin.createTopics({
        topics: topics.map(({ metadata, spec }) => ({
          topic: metadata.name,
          numPartitions: Math.min(spec.partitions, partitions),
          replicationFactor: 1,
          configEntries: Object.entries(spec.config)
            .filter(([name]) => name !== 'min.insync.replicas')
            .map(([name, value]) => ({ name, value: String(value) })),
        })),
      });
      const acl = users.flatMap(({ metadata, spec }) =>
        spec.authorization.acls.flatMap(({ resource, operations }) =>
          operations.map((operation) => ({
            principal: `User:CN=${metadata.name}`,
            host: '*',
            resourceType: RESOURCES[resource.type]!,
            resourceName: resource.name,
            resourcePatternType:
              resource.patternType === 'prefix'
                ? ResourcePatternTypes.PREFIXED
                : ResourcePatternTypes.LITERAL,
            operation: operationOf(operation),
            permissionType: AclPermissionTypes.ALLOW,
          })),
        ),
      );
      await admin.createAcls({ acl });
    } finally {
      await admin.disconnect();
    }
  }
}

/** kafkajs' constant for an operation, such as `DescribeConfigs`. */
function operationOf(name: string): AclOperationTypes {
  const key = name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
  return AclOperationTypes[key as keyof typeof AclOperationTypes];
}

/** Creates a CA, the broker's certificate, and one per user, in secrets like Strimzi's. */
function certificates(dir: string, users: readonly string[]): Strimzi['secrets'] {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const text = (name: string) => readFileSync(join(dir, name), 'utf8');
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=cluster-ca',
    '-days',
    '2',
  );
  writeFileSync(join(dir, 'names'), `subjectAltName=DNS:${HOST}`);
  for (const name of ['broker', ...users]) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signed = [
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'names',
    ];
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...signed);
  }
  writeFileSync(join(dir, 'keystore.pem'), text('broker.key') + text('broker.crt'));
  return {
    'kafka-cluster-ca-cert': { 'ca.crt': text('ca.crt') },
    ...Object.fromEntries(
      users.map((name) => [name, { 'user.crt': text(`${name}.crt`), 'user.key': text(`${name}.key`) }]),
    ),
  };
}
