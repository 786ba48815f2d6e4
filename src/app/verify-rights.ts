import { type KafkaCommand, rightsOf } from '../cluster/rights.ts';
import type { Config } from '../config/schema.ts';
import { MissingRightsError, requireRights, rightsFix, rightText } from '../kafka/rights.ts';
import { log } from '../log.ts';

/**
 * Throws KAFKA_REJECTED, with the rights that are missing, where the brokers say that this command cannot work. Brokers
 * that do not answer, or that reject the connection, are left to the clients that follow: they know what to do then.
 */
export async function verifyRights(
  config: Pick<Config, 'kafka' | 'cluster'>,
  command: KafkaCommand,
): Promise<void> {
  if (!config.kafka.brokers) return;
  try {
    const missing = await requireRights(config.kafka, rightsOf(command, config));
    if (missing.length === 0) return;
    log.warn(
      `${command} works without these rights on the brokers, with less: ${missing.map(rightText).join(', ')}; ` +
        rightsFix(config.kafka, missing),
    );
  } catch (error) {
    if (error instanceof MissingRightsError) throw error;
    log.debug(`the rights on the brokers could not be checked: ${(error as Error).message}`);
  }
}
