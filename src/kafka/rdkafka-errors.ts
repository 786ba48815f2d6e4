/** What librdkafka's clients throw and tell. */
type Failure = Pick<Error, 'message'>;

/**
 * Refusals are known by librdkafka's words for them: its error events and delivery reports come without codes, and in
 * small letters.
 */
const RIGHTS = /authorization failed/i;
const CREDENTIALS = /authentication failure$/i;
const FATAL = /fatal error$/i;

/** Whether the brokers say that this user may not do that. */
export function isAuthorizationError({ message }: Failure): boolean {
  return RIGHTS.test(message);
}

/** Whether the brokers, or whoever gives out tokens, do not take this user's credentials. */
export function isAuthenticationError({ message }: Failure): boolean {
  return CREDENTIALS.test(message);
}

/** Whether librdkafka says that this client is of no further use. */
export function isFatalError({ message }: Failure): boolean {
  return FATAL.test(message);
}
