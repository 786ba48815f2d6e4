import { parser } from '@prometheus-io/lezer-promql';
import { expect, test } from 'vitest';
import { panelQueries, RULE_FILES, ruleQueries } from './queries.ts';

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
  ['deploy/grafana/austream.json', panelQueries()] as const,
  ...RULE_FILES.map((file) => [file, ruleQueries(file)] as const),
])('the queries of %s are PromQL', (_, queries) => {
  expect(queries.length).toBeGreaterThan(3);
  expect(queries.flatMap(mistakes)).toEqual([]);
  expect(mistakes(`${queries[0]})`)).not.toEqual([]);
});
