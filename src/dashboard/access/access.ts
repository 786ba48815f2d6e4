import type { FastifyRequest } from 'fastify';
import { monotonicMs } from '../../clock.ts';
import { AustreamError } from '../../errors.ts';
import { isLoopback } from '../../http/host-header.ts';
import type { HttpOptions } from '../../http/options.ts';
import { log } from '../../log.ts';
import type { DashboardOptions } from '../options.ts';
import { Attempts } from './attempts.ts';
import { cookieValues } from './cookie.ts';
import { OneTimeLinks } from './one-time-links.ts';
import { People } from './people.ts';
import type { Person } from './person.ts';
import { type Session, Sessions } from './sessions.ts';

/** Whoever opens a link that austream printed: the user who runs it. */
const LINK: Person = { name: 'link', role: 'operate', cameras: null, credential: '' };
/** Everyone, where `dashboard.open` is set. */
const EVERYONE: Person = { name: 'everyone', role: 'operate', cameras: null, credential: '' };

/** What a request may do, until it ends or `isCurrent` returns false. */
export interface Grant {
  readonly person: Person;
  /** Null for a bearer token, and where no sign-in is needed. */
  readonly session: Session | null;
  /** False once the session ended, or the person's entry in the config changed. */
  isCurrent(): boolean;
}

/** The secrets of a new session: the cookie's value, and the key that the page sends beside it. */
export interface SignedIn {
  readonly cookie: string;
  readonly key: string;
}

/** Decides who may see and change the cameras: people by their tokens, links, sessions. */
export class Access {
  readonly sessions: Sessions;
  readonly #links: OneTimeLinks;
  readonly #people: People;
  readonly #attempts: Attempts;
  #open = false;

  /** Throws CONFIG_INVALID if other machines can reach the page and nobody is named, or if a token cannot be read. */
  constructor(
    http: Pick<HttpOptions, 'host' | 'token'>,
    options: DashboardOptions,
    now: () => number = monotonicMs,
  ) {
    this.sessions = new Sessions(options.sessions, now);
    this.#links = new OneTimeLinks(now);
    this.#people = new People(now);
    this.#attempts = new Attempts(now);
    this.configure(http, options);
  }

  /** Applies a changed config at once: sessions of people who are gone end. Throws like the constructor, changing nothing. */
  configure({ host, token }: Pick<HttpOptions, 'host' | 'token'>, options: DashboardOptions): void {
    const { open, users, sessions } = options;
    if (!isLoopback(host) && open)
      throw new AustreamError('CONFIG_INVALID', `dashboard.open is for loopback addresses, not for ${host}`, {
        fix: 'set dashboard.users instead, or http.host: 127.0.0.1',
      });
    if (!isLoopback(host) && token === undefined && users.length === 0)
      throw new AustreamError(
        'CONFIG_INVALID',
        `the live page on ${host} needs dashboard.users or http.token`,
        {
          fix: 'name who may see it in dashboard.users, each with a token, or set http.host: 127.0.0.1',
        },
      );
    if (open && token !== undefined)
      throw new AustreamError('CONFIG_INVALID', 'dashboard.open lets everyone in, and http.token does not', {
        fix: 'remove one of them',
      });
    this.#people.set([
      ...users,
      ...(token === undefined ? [] : [{ name: 'http.token', token, role: 'operate' as const }]),
    ]);
    this.sessions.limits = sessions;
    this.#open = open;
  }

  /** Whether everyone gets in without a sign-in. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Whether someone can sign in without a link. */
  get hasPeople(): boolean {
    return this.#people.size > 0;
  }

  /** A token that opens one session with all rights. `lasting`: until it is used; otherwise for ten minutes. */
  issueLink({ lasting = false } = {}): string {
    return this.#links.issue(lasting);
  }

  /** What a request may do by its bearer token or session; null: nothing; a number: wait so many ms, too many wrong tokens. */
  check(request: FastifyRequest): Grant | number | null {
    if (this.#open) return { person: EVERYONE, session: null, isCurrent: () => this.#open };
    const bearer = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (bearer !== undefined) return this.#checkBearer(bearer, request.ip);
    const session = this.sessionOf(request);
    const key = request.headers['x-austream'];
    if (!session || typeof key !== 'string' || !this.sessions.hasKey(session, key)) return null;
    this.sessions.touch(session);
    const person = this.#personOf(session)!;
    return {
      person,
      session,
      isCurrent: () => this.sessions.isOpen(session) && this.#personOf(session) === person,
    };
  }

  /**
   * The session of the request's cookie. Browsers send a cookie to every port of a host (RFC 6265, 8.5), so another
   * user's server on this machine may know it: it opens the page, which holds no data, and nothing else.
   */
  sessionOf(request: FastifyRequest): Session | undefined {
    for (const value of cookieValues(request)) {
      const session = this.sessions.find(value);
      if (session && this.#personOf(session)) return session;
      if (session) this.sessions.close(session);
    }
    return undefined;
  }

  /** Opens a session with the token of a link, which is void afterwards. Null if the token is not valid. */
  useLink(token: string, address: string): SignedIn | null {
    return this.#links.use(token) ? this.#openSession(LINK, address) : null;
  }

  /** Opens a session with the token of a person or of a link. Null: wrong; a number: wait so many ms. */
  signIn(token: string, address: string): SignedIn | number | null {
    const byLink = this.useLink(token, address);
    if (byLink) return byLink;
    const waitMs = this.#attempts.waitMs(address);
    if (waitMs > 0) return waitMs;
    const person = this.#people.find(token);
    if (person) return this.#openSession(person, address);
    this.#attempts.failed(address);
    return null;
  }

  #checkBearer(token: string, address: string): Grant | number | null {
    const waitMs = this.#attempts.waitMs(address);
    if (waitMs > 0) return waitMs;
    const person = this.#people.find(token);
    if (person)
      return { person, session: null, isCurrent: () => this.#people.byName(person.name) === person };
    this.#attempts.failed(address);
    return null;
  }

  #openSession(person: Person, address: string): SignedIn {
    this.#attempts.succeeded(address);
    log.info({ person: person.name, address }, `${person.name} signed in to the live page`);
    return this.sessions.open(person);
  }

  #personOf({ person: name, credential }: Session): Person | undefined {
    if (name === LINK.name) return LINK;
    const person = this.#people.byName(name);
    return person?.credential === credential ? person : undefined;
  }
}
