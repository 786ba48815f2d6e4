import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { AustreamError } from '../errors.ts';

/** Whether processes that parse what others send run in a sandbox. */
export type SandboxMode = 'auto' | 'required' | 'off';

/** What this system has of the sandbox. */
export interface SandboxSupport {
  /** Version of Landlock's interface; 0: none. 4 and later limit TCP ports, 6 and later signals. */
  readonly landlock: number;
  readonly seccomp: boolean;
  /** This process may start others as another user. */
  readonly changesUser: boolean;
}

const BUILT = new URL('../../dist/sandbox/', import.meta.url);
/** The program that makes the sandbox and then becomes the given program; `bin/setup` compiles it. */
export const LAUNCHER = fileURLToPath(new URL('launcher', BUILT));

let support: SandboxSupport | null | undefined;

/** Asked once; null: the launcher is not built or does not run here. */
export function sandboxSupport(): SandboxSupport | null {
  if (support !== undefined) return support;
  try {
    support = JSON.parse(execFileSync(LAUNCHER, ['--check'], { encoding: 'utf8', timeout: 5_000 }));
  } catch {
    support = null;
  }
  return support!;
}

/** What is missing for a complete sandbox, in words; empty: nothing. */
export function missingSandbox(found: SandboxSupport | null): string[] {
  if (found === null) return ['the launcher is not built (run make setup)'];
  const { landlock, seccomp } = found;
  return [
    ...(landlock > 0 ? [] : ['no Landlock in this kernel: files and TCP ports are not limited']),
    ...(landlock > 0 && landlock < 4
      ? [`Landlock ${landlock} does not limit TCP ports (Linux 6.7 does)`]
      : []),
    ...(seccomp ? [] : ['no seccomp in this kernel: system calls are not limited']),
  ];
}

/** `no_new_privs, no capabilities, Landlock 7 (files, TCP ports), seccomp, own user`. */
export function describeSandbox(found: SandboxSupport): string {
  return [
    'no_new_privs',
    'no capabilities',
    ...(found.landlock > 0
      ? [`Landlock ${found.landlock} (files${found.landlock < 4 ? '' : ', TCP ports'})`]
      : []),
    ...(found.seccomp ? ['seccomp'] : []),
    ...(found.changesUser ? ['own user'] : []),
  ].join(', ');
}

/** The support to use; null: no sandbox. Throws PREREQUISITE_MISSING if the mode requires more than there is. */
export function sandboxFor(mode: SandboxMode): SandboxSupport | null {
  if (mode === 'off') return null;
  const found = sandboxSupport();
  if (mode === 'required' && !(found !== null && found.landlock > 0 && found.seccomp))
    throw new AustreamError(
      'PREREQUISITE_MISSING',
      `ingest.sandbox is required, but this system has none: ${missingSandbox(found).join('; ')}`,
      {
        fix: 'run make setup, use a kernel with Landlock (Linux 5.13) and seccomp, or set ingest.sandbox: auto',
      },
    );
  return found;
}

/**
 * Makes this process undumpable: other processes of its user cannot trace it nor read its memory and environment. False
 * if the add-on is not built.
 */
export function makeUndumpable(): boolean {
  try {
    createRequire(import.meta.url)(fileURLToPath(new URL('undumpable.node', BUILT)));
    return true;
  } catch {
    return false;
  }
}
