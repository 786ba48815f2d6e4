import { Command } from 'commander';
import { ConfigError, loadConfig } from '../config/schema.ts';

/** `austream check`: every mistake of a config at once, or one line that all is well. */
export function checkCommand(): Command {
  return new Command('check')
    .description('Check a config file and explain every mistake in it')
    .requiredOption('-c, --config <file>', 'config file (YAML)')
    .option('--json', 'print the result as JSON')
    .action((options: { config: string; json?: boolean }) => {
      try {
        const config = loadConfig(options.config);
        const kafka = config.kafka.embedded ? 'the embedded broker' : config.kafka.brokers?.join(', ');
        print(
          options.json,
          { ok: true, cameras: config.cameras.map((camera) => camera.id) },
          `${options.config} is valid: ${config.cameras.length} camera(s), events to ${kafka}`,
        );
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        print(options.json, { ok: false, mistakes: error.issues }, error.message);
        process.exitCode = error.exitCode;
      }
    });
}

function print(json: boolean | undefined, value: unknown, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(value) : text}\n`);
}
