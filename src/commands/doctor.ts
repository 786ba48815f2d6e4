import { Command, Option } from 'commander';
import { KAFKA_COMMANDS, type KafkaCommand } from '../cluster/rights.ts';
import { loadConfig } from '../config/schema.ts';
import { configChecks } from '../doctor/config-checks.ts';
import { type Check, type Finding, hostChecks } from '../doctor/host-checks.ts';
import { outgoingLine } from '../redaction.ts';
import { type SnapshotFlags, saveSnapshot } from './doctor-snapshot.ts';
import { EXIT } from './exit-code.ts';
import { printJson, printLine } from './output.ts';

interface DoctorFlags extends Partial<SnapshotFlags> {
  json?: boolean;
  for: KafkaCommand[];
}

const MARKS: Readonly<Record<Finding['state'], string>> = { ok: '✓', note: '·', missing: '✗' };

/** `austream doctor`: checks what austream needs on this machine, and says how to fix what is missing. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Check GStreamer, native parts, model, GPU, clock and, with a config, Kafka and cameras')
    .option('-c, --config <file>', 'also check the Kafka brokers and cameras of this config')
    .addOption(
      new Option('--for <command...>', 'the commands whose rights on the brokers are checked')
        .choices(KAFKA_COMMANDS)
        .default(['run']),
    )
    .option('--json', 'print the findings as JSON')
    .option('--snapshot <file>', 'only store one picture of a camera (.jpg, .png), with its masks and zones')
    .option('--camera <id>', 'the camera of --snapshot; needed if the config has several')
    .option('--force', 'let --snapshot replace a file')
    .action(async (flags: DoctorFlags) => {
      const { snapshot } = flags;
      if (snapshot !== undefined) return saveSnapshot({ ...flags, snapshot });
      const config = flags.config ? loadConfig(flags.config) : undefined;
      const checks: readonly Check[] = [
        ...hostChecks(config),
        ...(config ? configChecks(config, flags.config!, flags.for) : []),
      ];
      const findings: Finding[] = [];
      for (const check of checks) {
        const finding = await check();
        findings.push(finding);
        if (!flags.json) printLine(findingText(finding));
      }
      const missing = findings.filter(({ state }) => state === 'missing').length;
      if (flags.json) printJson({ ok: missing === 0, findings });
      else printLine(missing === 0 ? '\neverything is in place' : `\n${missing} problem(s) to fix`);
      if (missing > 0) process.exitCode = EXIT.failed;
    });
}

function findingText({ name, state, detail, fix }: Finding): string {
  const line = `${MARKS[state]} ${outgoingLine(name)}: ${outgoingLine(detail)}`;
  return fix && state !== 'ok' ? `${line}\n    → ${outgoingLine(fix)}` : line;
}
