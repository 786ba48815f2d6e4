import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

/** Dashboard variables are put in before a query reaches Prometheus. */
const VARIABLES: Readonly<Record<string, string>> = { $__rate_interval: '5m', $__range: '1h' };

function panelQueries(): string[] {
  const text = readFileSync('deploy/grafana/austream.json', 'utf8');
  const queries: string[] = [];
  JSON.parse(text, (key, value) => {
    if (key === 'expr') queries.push(value);
    return value;
  });
  return queries.map((query) => query.replaceAll(/\$\w+/g, (name) => VARIABLES[name] ?? 'x'));
}

function ruleQueries(): string[] {
  const rules = parse(readFileSync('deploy/prometheus/rules.yaml', 'utf8'));
  return rules.spec.groups.flatMap(({ rules }: { rules: { expr: string }[] }) =>
    rules.map(({ expr }) => expr),
  );
}

/** Where Prometheus' own grammar does not understand a query. */
function mistakes(query: string): string[] {
  const found: string[] = [];
  parser.parse(query).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) found.push(`${query.slice(0, from)}▸${query.slice(from, to)}▸${query.slice(to)}`);
    },
  });
  return found;
}

test.each([
  ['panels', panelQueries()],
  ['alerts', ruleQueries()],
])('the queries of %s are PromQL', (_, queries) => {
  expect(queries.length).toBeGreaterThan(5);
  expect(queries.flatMap(mistakes)).toEqual([]);
  expect(mistakes(`${queries[0]})`)).not.toEqual([]);
});
