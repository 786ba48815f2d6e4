import { parser } from '@prometheus-io/lezer-promql';
import { expect, test } from 'vitest';
import { panelQueries, RULE_FILES, ruleQueries } from './queries.ts';

/** The syntax errors of a query by Prometheus' own grammar, marked with ▸. */
function syntaxErrors(query: string): string[] {
  const errors: string[] = [];
  parser.parse(query).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) errors.push(`${query.slice(0, from)}▸${query.slice(from, to)}▸${query.slice(to)}`);
    },
  });
  return errors;
}

test.each([
  ['deploy/grafana/austream.json', panelQueries()] as const,
  ...RULE_FILES.map((file) => [file, ruleQueries(file)] as const),
])('the queries of %s are valid PromQL', (_, queries) => {
  expect(queries.length).toBeGreaterThan(3);
  expect(queries.flatMap(syntaxErrors)).toEqual([]);
  expect(syntaxErrors(`${queries[0]})`)).not.toEqual([]);
});
