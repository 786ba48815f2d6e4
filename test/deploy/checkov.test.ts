import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { K8S, type Manifest, OVERLAYS, render, renderTogether } from './render.ts';
import { checkov } from './tools.ts';

interface Finding {
  readonly check_id: string;
  readonly check_name: string;
  readonly resource: string;
  readonly check_result: { readonly suppress_comment?: string };
}

/** Runs checkov: its failed checks, the number of passed ones, and the skipped ones with their justification. */
async function lint(folders: Readonly<Record<string, readonly Manifest[]>>) {
  const folder = mkdtempSync(join(tmpdir(), 'austream-checkov-'));
  try {
    for (const [name, objects] of Object.entries(folders))
      writeFileSync(
        join(folder, `${name.replaceAll('/', '-')}.yaml`),
        objects.map((object) => JSON.stringify(object)).join('\n---\n'),
      );
    const python = await checkov();
    const { stdout } = await promisify(execFile)(
      python,
      [
        join(dirname(python), 'checkov'),
        '-d',
        folder,
        '--framework',
        'kubernetes',
        '-o',
        'json',
        '--soft-fail',
      ],
      { maxBuffer: 64 * 1024 * 1024, env: { ...process.env, LOG_LEVEL: 'ERROR' } },
    );
    const { results } = JSON.parse(stdout);
    const describeFindings = (findings: Finding[]) =>
      findings.map(({ check_id, check_name, resource }) => `${check_id} ${resource}: ${check_name}`);
    return {
      failed: describeFindings(results.failed_checks),
      passed: results.passed_checks.length,
      skipped: results.skipped_checks as Finding[],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it('finds no failed check in overlays and components, and every skipped one is justified', async () => {
  const overlays = await Promise.all(
    OVERLAYS.map(async (name) => [name, await render(join(K8S, 'overlays', name))] as const),
  );
  const others = readdirSync(join(K8S, 'components')).filter(
    (name) => !/^(keda|hpa|model-volume)/.test(name),
  );
  const all = await renderTogether(['base', 'base/run'], [...others, 'hpa']);
  const { failed, passed, skipped } = await lint({ ...Object.fromEntries(overlays), all });
  expect(failed).toEqual([]);
  expect(passed).toBeGreaterThan(500);
  expect(skipped.map(({ check_id }) => check_id)).toContain('CKV_K8S_43');
  for (const { check_result } of skipped) expect(check_result.suppress_comment).toMatch(/\w{3,} \w+ \w+/);
}, 600_000);

it('detects a missing securityContext', async () => {
  const objects = await render(join(K8S, 'overlays/gpu-cluster'));
  const infer = objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'infer')!;
  delete infer.spec.template.spec.containers[0].securityContext;
  const { failed } = await lint({ broken: objects });
  expect(failed.join('\n')).toMatch(/CKV_K8S_20 Deployment.austream.infer/);
}, 600_000);
