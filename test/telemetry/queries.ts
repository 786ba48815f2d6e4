import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** The files with alerts: of the stages, and of the cluster. */
export const RULE_FILES = ['deploy/prometheus/rules.yaml', 'deploy/k8s/components/prometheus/rules.yaml'];
/** Names of austream's own metrics. */
export const METRIC = /\b(?:austream|hw_gpu|process)_[a-z_]+\b/g;

/** Values of Grafana's variables, which Prometheus' parser does not know. */
const VARIABLES: Readonly<Record<string, string>> = { $__rate_interval: '5m', $__range: '1h' };

/** The queries of the Grafana dashboard. */
export function panelQueries(): string[] {
  const text = readFileSync('deploy/grafana/austream.json', 'utf8');
  const queries: string[] = [];
  JSON.parse(text, (key, value) => {
    if (key === 'expr') queries.push(value);
    return value;
  });
  return queries.map((query) => query.replaceAll(/\$\w+/g, (name) => VARIABLES[name] ?? 'x'));
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The rule groups of a PrometheusRule. */
export function ruleGroups(file: string): { rules: Rule[] }[] {
  return parse(readFileSync(file, 'utf8')).spec.groups;
}

/** The expressions of a file's alerts. */
export function ruleQueries(file: string): string[] {
  return ruleGroups(file).flatMap(({ rules }) => rules.map(({ expr }) => expr));
}
