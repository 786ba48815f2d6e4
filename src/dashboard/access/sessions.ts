import type { DashboardOptions } from '../options.ts';
import { digest, isEqualDigest, newSecret } from './digest.ts';
import type { Person } from './person.ts';

const MAX_SESSIONS = 256;
const MAX_PER_PERSON = 32;

export interface Session {
  /** Digest of the cookie's value. */
  readonly id: string;
  /** Digest of the key that the page sends beside the cookie. */
  readonly key: string;
  readonly person: string;
  readonly credential: string;
  readonly openedAt: number;
  seenAt: number;
}

/** The sessions of signed-in people, in memory: a restart ends them. */
export class Sessions {
  limits: DashboardOptions['sessions'];
  /** By id; the least recently used first. */
  readonly #sessions = new Map<string, Session>();
  readonly #now: () => number;

  constructor(limits: DashboardOptions['sessions'], now: () => number) {
    this.limits = limits;
    this.#now = now;
  }

  /** Opens a session. Its cookie and key are always new: none that a client sent is ever taken over. */
  open({ name, credential }: Person): { readonly cookie: string; readonly key: string } {
    const [cookie, key] = [newSecret(), newSecret()];
    const at = this.#now();
    const session = {
      id: digest(cookie),
      key: digest(key),
      person: name,
      credential,
      openedAt: at,
      seenAt: at,
    };
    this.#sessions.set(session.id, session);
    const own = [...this.#sessions.values()].filter(({ person }) => person === name);
    if (own.length > MAX_PER_PERSON) this.close(own[0]!);
    const [oldest] = this.#sessions.values();
    if (this.#sessions.size > MAX_SESSIONS) this.close(oldest!);
    return { cookie, key };
  }

  /** The session of a cookie. That it is used, `touch` says: the cookie alone does not prolong it. */
  find(cookie: string): Session | undefined {
    const session = this.#sessions.get(digest(cookie));
    return session && this.isOpen(session) ? session : undefined;
  }

  hasKey(session: Session, key: string): boolean {
    return isEqualDigest(session.key, digest(key));
  }

  /** Counts as used: by a request, or while a page is open. */
  touch(session: Session): void {
    session.seenAt = this.#now();
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
  }

  isOpen(session: Session): boolean {
    const now = this.#now();
    const { idleMinutes, maxHours } = this.limits;
    const isOpen =
      this.#sessions.has(session.id) &&
      now - session.seenAt < idleMinutes * 60_000 &&
      now - session.openedAt < maxHours * 3_600_000;
    if (!isOpen) this.close(session);
    return isOpen;
  }

  close({ id }: Session): void {
    this.#sessions.delete(id);
  }
}
