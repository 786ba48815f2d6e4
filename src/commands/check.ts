import { Command } from 'commander';
import { ConfigError, loadConfig } from '../config/schema.ts';
import { configWarnings } from '../config/warnings.ts';
import { printJson, printLine } from './output.ts';

/** `austream check`: prints every issue of a config at once, or that it is valid, and what in it is unsafe. */
export function checkCommand(): Command {
  return new Command('check')
    .description('Check a config file, explain every issue in it, and warn about what is unsafe')
    .requiredOption('-c, --config <file>', 'config file (YAML)')
    .option('--json', 'print the result as JSON')
    .action(({ config: file, json }: { config: string; json?: boolean }) => {
      const print = (result: object, text: string) => (json ? printJson(result) : printLine(text));
      try {
        const config = loadConfig(file);
        const { cameras, kafka } = config;
        const warnings = configWarnings(config, file);
        const brokers = kafka.embedded ? 'the embedded broker' : kafka.brokers?.join(', ');
        print(
          { ok: true, cameras: cameras.map(({ id }) => id), warnings },
          [
            `${file} is valid: ${cameras.length} camera(s), events to ${brokers}`,
            ...warnings.map(({ path, message, fix }) => `warning: ${path} ${message}\n  → ${fix}`),
          ].join('\n'),
        );
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        // Consumers of the JSON know the issues as `mistakes`.
        print({ ok: false, mistakes: error.issues }, error.message);
        process.exitCode = error.exitCode;
      }
    });
}
