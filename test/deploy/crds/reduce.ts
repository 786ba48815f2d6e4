/**
 * Reduces published CustomResourceDefinitions to what validation needs: the served versions, without descriptions, columns
 * and the schema of `status`. Usage: node reduce.ts FILE.yaml… > crds.ndjson (README.md says where the files are from).
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Removes descriptions; below `properties`, `description` is a property's name and stays. */
function withoutDescriptions(value: Json, propertyNames = false): Json {
  if (Array.isArray(value)) return value.map((item) => withoutDescriptions(item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => propertyNames || key !== 'description')
      .map(([key, item]) => [key, withoutDescriptions(item, key === 'properties' && !propertyNames)]),
  );
}

const lines = process.argv.slice(2).map((file) => {
  const { apiVersion, kind, metadata, spec } = parse(readFileSync(file, 'utf8'));
  const versions = spec.versions
    .filter((version: { served: boolean }) => version.served)
    .map(({ name, served, storage, schema, subresources }: Record<string, Json>) => {
      const openAPIV3Schema = withoutDescriptions((schema as { [key: string]: Json }).openAPIV3Schema!) as {
        properties: { [key: string]: Json };
      };
      const { status, ...properties } = openAPIV3Schema.properties;
      const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
      return {
        name,
        served,
        storage,
        schema: {
          openAPIV3Schema: {
            ...openAPIV3Schema,
            properties: status ? { ...properties, status: open } : properties,
          },
        },
        subresources,
      };
    });
  const { group, names, scope } = spec;
  return JSON.stringify({
    apiVersion,
    kind,
    metadata: { name: metadata.name },
    spec: { group, names, scope, versions },
  });
});
process.stdout.write(`${lines.join('\n')}\n`);
