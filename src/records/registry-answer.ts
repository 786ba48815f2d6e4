import { printable } from '../printable.ts';
import type { HttpResponse } from './registry-http.ts';

/** The longest text of a registry that an error quotes. */
const MAX_REASON = 300;
/** Confluent's error codes for a subject, a version or a schema that does not exist, or is deleted. */
const NO_SUBJECT = new Set([40401, 40404]);
const NO_SCHEMA = new Set([40402, 40403, 40406]);
/** Of one subject; the registry's own level applies. */
const NO_OWN_LEVEL = 40408;
const READ_ONLY = 42205;
/** HTTP statuses of an overload or of a time-out. */
const PASSING = new Set([408, 425, 429]);
const MAX_RETRY_AFTER_MS = 300_000;

/** What a registry's answer means. Only `absent` speaks about the registry's contents. */
export type RegistryAnswer =
  | { readonly kind: 'ok'; readonly json: object }
  /** A registry says that it has no such thing: JSON with one of Confluent's error codes. */
  | { readonly kind: 'absent'; readonly what: 'subject' | 'schema' | 'level'; readonly why: string }
  /** Nobody could say: overload, a proxy, a registry without leader. */
  | { readonly kind: 'outage'; readonly why: string; readonly fix: string; readonly retryAfterMs: number }
  /** The registry refuses. A person may cure it. */
  | { readonly kind: 'rejected'; readonly why: string; readonly fix: string };

/** Judges an answer to `request`, such as `GET /schemas/ids/7`. `nowMs`: wall clock, for `Retry-After` with a date. */
export function judge(
  request: string,
  { status, headers, text }: HttpResponse,
  nowMs: number,
): RegistryAnswer {
  const json = parse(text);
  const outage = (why: string, fix: string): RegistryAnswer => {
    return { kind: 'outage', why, fix, retryAfterMs: retryAfter(headers['retry-after'], nowMs) };
  };
  if (status >= 200 && status < 300)
    return json
      ? { kind: 'ok', json }
      : outage(
          `answers ${request} without JSON`,
          'check whether a proxy in front of the registry shows a page of its own',
        );
  const { message, error_code: code } = (json ?? {}) as { message?: unknown; error_code?: unknown };
  const why = typeof message === 'string' ? printable(message, MAX_REASON) : `HTTP ${status}`;
  if (status === 404) {
    const what = absentThing(code);
    return what
      ? { kind: 'absent', what, why }
      : outage(
          `answers ${request} with HTTP 404, but not as a registry: ${why}`,
          'check that kafka.registry.url is the URL of a registry with Confluent’s API; it may also be starting',
        );
  }
  if (status >= 300 && status < 400)
    return outage(
      `redirects ${request} to ${printable(headers.location ?? 'nowhere', MAX_REASON)}`,
      'set kafka.registry.url to the final URL: redirects are not followed',
    );
  if (status >= 500 || status < 200 || PASSING.has(status))
    return outage(
      why === `HTTP ${status}` ? `fails: ${why}` : `fails: HTTP ${status}, ${why}`,
      'look at the log of the registry',
    );
  return { kind: 'rejected', ...rejection(request, status, code, why) };
}

function rejection(request: string, status: number, code: unknown, why: string) {
  if (status === 401)
    return {
      why: `does not accept this user for ${request}: ${why}`,
      fix: 'check kafka.registry.username and password',
    };
  if (status === 403)
    return {
      why: `forbids ${request}: ${why}`,
      fix: 'let this user read and write the subjects, or register the schemas for it and set kafka.registry.register: false',
    };
  if (code === READ_ONLY)
    return {
      why: `is read-only and rejects ${request}: ${why}`,
      fix: 'register schemas/*.avsc where it can be written, or make the subject writable',
    };
  if (status === 409)
    return {
      why: `rejects ${request}: ${why}`,
      fix: 'the subject has an incompatible schema of another program or version: use another kafka.topicPrefix',
    };
  return {
    why: `rejects ${request}: ${why}`,
    fix: 'check that kafka.registry.url is the URL of a registry with Confluent’s API',
  };
}

function absentThing(code: unknown): 'subject' | 'schema' | 'level' | null {
  if (NO_SUBJECT.has(code as number)) return 'subject';
  if (NO_SCHEMA.has(code as number)) return 'schema';
  return code === NO_OWN_LEVEL ? 'level' : null;
}

function parse(text: string): object | null {
  try {
    const json = JSON.parse(text);
    return typeof json === 'object' ? json : null;
  } catch {
    return null;
  }
}

/** Milliseconds of a `Retry-After` header, in seconds or as a date (RFC 9110, 10.2.3); 0 without one. */
function retryAfter(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0;
  const milliseconds = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(milliseconds) ? Math.min(MAX_RETRY_AFTER_MS, Math.max(0, milliseconds)) : 0;
}
