import { KafkaBroker } from './kafka-broker.ts';

/**
 * A broker whose listener `secured` wants SCRAM-SHA-512 and obeys ACLs: its users have no rights at first. `address` needs no
 * credentials and has every right.
 */
export function startAclBroker(users: readonly string[], password: string): Promise<KafkaBroker> {
  return KafkaBroker.start({
    secured: 'SASL_PLAINTEXT',
    scram: users.map((name) => `SCRAM-SHA-512=[name=${name},password=${password}]`),
    properties: {
      'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    },
  });
}
