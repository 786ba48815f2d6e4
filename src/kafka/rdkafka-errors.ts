/**
 * Classifies what librdkafka's clients throw and emit. `kafkajs-errors.ts` does the same for kafkajs.
 *
 * Error events and delivery reports carry no error code, and their texts come in lower case: only the message can be
 * matched.
 */
type RdkafkaError = Pick<Error, 'message'>;

const AUTHORIZATION = /authorization failed/i;
const AUTHENTICATION = /authentication failure$/i;
const FATAL = /fatal error$/i;

/** The brokers deny this user the operation (ACL). */
export function isAuthorizationError({ message }: RdkafkaError): boolean {
  return AUTHORIZATION.test(message);
}

/** The brokers, or the OAuth token endpoint, reject this user's credentials (SASL). */
export function isAuthenticationError({ message }: RdkafkaError): boolean {
  return AUTHENTICATION.test(message);
}

/** librdkafka marks the client as unusable. */
export function isFatalError({ message }: RdkafkaError): boolean {
  return FATAL.test(message);
}
