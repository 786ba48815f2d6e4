import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from '../broker/cache.ts';
import { Scratch } from '../e2e/austream.ts';
import { ruleGroups } from './queries.ts';

const run = promisify(execFile);

/** The path of promtool, unpacked from Debian's package. Installing the package would start a server. */
export function promtool(): Promise<string> {
  return cached('promtool', 'prometheus', async (dir) => {
    await run('apt-get', ['download', '-q', 'prometheus'], { cwd: dir });
    const unpack =
      'dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool && rm prometheus_*.deb';
    await run('sh', ['-c', unpack], { cwd: dir });
  }).then((folder) => join(folder, 'usr/bin/promtool'));
}

export interface AlertTest {
  readonly alert: string;
  /** One sample per minute from minute 0, in promtool's notation: `5x2` is `5 5 5`, `0+3x2` is `0 3 6`, `_` is none. */
  readonly series: Readonly<Record<string, string>>;
  /** When the rules are evaluated. */
  readonly minute: number;
  /** The labels of each alert that fires then. */
  readonly firing: readonly Readonly<Record<string, string>>[];
}

/** Evaluates a rule file as Prometheus does. Rejects with promtool's output if the alerts that fire differ. */
export async function testAlert(file: string, { alert, series, minute, firing }: AlertTest): Promise<void> {
  using scratch = new Scratch();
  const rules = ruleGroups(file)
    .flatMap((group) => group.rules)
    .map(({ annotations: _, ...rule }) => rule);
  const { labels } = rules.find((rule) => rule.alert === alert)!;
  scratch.file('rules.yaml', { groups: [{ name: 'all', rules }] });
  const test = {
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [
      {
        eval_time: `${minute}m`,
        alertname: alert,
        exp_alerts: firing.map((alertLabels) => ({ exp_labels: { ...alertLabels, ...labels } })),
      },
    ],
  };
  const path = scratch.file('test.yaml', {
    rule_files: ['rules.yaml'],
    evaluation_interval: '1m',
    tests: [test],
  });
  await run(await promtool(), ['test', 'rules', path]);
}
