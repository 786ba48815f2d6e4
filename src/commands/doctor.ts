import { Command } from 'commander';
import { loadConfig } from '../config/schema.ts';
import { configChecks } from '../doctor/config-checks.ts';
import { type Check, type Finding, hostChecks } from '../doctor/host-checks.ts';

const MARKS: Readonly<Record<Finding['state'], string>> = { ok: '✓', note: '·', missing: '✗' };

/** `austream doctor`: what this machine has of what austream needs, and what to do about the rest. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Check GStreamer, native parts, model, GPU, clock and, with a config, Kafka and cameras')
    .option('-c, --config <file>', 'also check what this config needs')
    .option('--json', 'print the findings as JSON')
    .action(async (options: { config?: string; json?: boolean }) => {
      const config = options.config ? loadConfig(options.config) : undefined;
      const checks: readonly Check[] = [...hostChecks(config), ...(config ? configChecks(config) : [])];
      const findings: Finding[] = [];
      for (const check of checks) {
        const finding = await check();
        findings.push(finding);
        if (!options.json) process.stdout.write(lines(finding));
      }
      const missing = findings.filter(({ state }) => state === 'missing').length;
      if (options.json) process.stdout.write(`${JSON.stringify({ ok: missing === 0, findings })}\n`);
      else process.stdout.write(missing === 0 ? '\nall is well\n' : `\n${missing} thing(s) to mend\n`);
      if (missing > 0) process.exitCode = 1;
    });
}

function lines({ name, state, detail, fix }: Finding): string {
  return `${MARKS[state]} ${name}: ${detail}\n${fix && state !== 'ok' ? `    → ${fix}\n` : ''}`;
}
