import { readFileSync } from 'node:fs';
import { AustreamError } from '../../errors.ts';
import { MIN_TOKEN_LENGTH } from '../../http/options.ts';
import { log } from '../../log.ts';
import { registerSecrets } from '../../redaction.ts';
import type { UserOptions } from '../options.ts';
import { digest, isEqualDigest } from './digest.ts';
import type { Person } from './person.ts';

/** Token files are read again at most this often. */
const READ_AGAIN_MS = 1_000;

/** The people of `dashboard.users`, by their tokens. */
export class People {
  #users: readonly UserOptions[] = [];
  #people = new Map<string, Person>();
  #readAt = Number.NEGATIVE_INFINITY;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Throws CONFIG_INVALID if a token file cannot be read; nothing is changed then. */
  set(users: readonly UserOptions[]): void {
    const people = this.#read(users, (_, error) => {
      throw error;
    });
    const names = new Map<string, string>();
    for (const { name, credential } of people.values()) {
      const other = names.get(credential);
      if (other !== undefined)
        throw new AustreamError('CONFIG_INVALID', `${other} and ${name} have the same token`, {
          fix: 'give each person of dashboard.users a token of their own',
        });
      names.set(credential, name);
    }
    this.#people = people;
    this.#users = users;
    this.#readAt = this.#now();
  }

  /** The person with this token. Every token is compared, so that the time tells nothing. */
  find(token: string): Person | undefined {
    const credential = digest(token);
    let found: Person | undefined;
    for (const person of this.#current().values())
      if (isEqualDigest(person.credential, credential)) found = person;
    return found;
  }

  get size(): number {
    return this.#people.size;
  }

  byName(name: string): Person | undefined {
    return this.#current().get(name);
  }

  #current(): ReadonlyMap<string, Person> {
    if (this.#users.some(({ tokenFile }) => tokenFile) && this.#now() - this.#readAt > READ_AGAIN_MS) {
      this.#readAt = this.#now();
      this.#people = this.#read(this.#users, ({ name }, error) => {
        if (this.#people.has(name))
          log.warn({ person: name, code: error.code }, `${name} cannot sign in: ${error.message}`);
      });
    }
    return this.#people;
  }

  #read(
    users: readonly UserOptions[],
    failed: (user: UserOptions, error: AustreamError) => void,
  ): Map<string, Person> {
    const people = new Map<string, Person>();
    for (const user of users) {
      try {
        const person = personOf(user);
        const known = this.#people.get(user.name);
        // The same object while nothing changes: open pages compare it.
        people.set(user.name, known && isSame(known, person) ? known : person);
      } catch (error) {
        failed(user, error as AustreamError);
      }
    }
    return people;
  }
}

function personOf({ name, role, cameras, token, tokenFile }: UserOptions): Person {
  const credential = digest(token ?? readToken(name, tokenFile!));
  return { name, role, cameras: cameras ? new Set(cameras) : null, credential };
}

function isSame(a: Person, b: Person): boolean {
  const list = ({ cameras }: Person) => (cameras ? [...cameras].sort().join('/') : null);
  return a.role === b.role && a.credential === b.credential && list(a) === list(b);
}

function readToken(name: string, file: string): string {
  let token: string;
  try {
    token = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new AustreamError(
      'CONFIG_INVALID',
      `the token file ${file} of ${name} cannot be read: ${(cause as NodeJS.ErrnoException).code}`,
      { fix: 'check tokenFile in dashboard.users, and the file’s permissions', cause },
    );
  }
  registerSecrets([token]);
  if (token.length >= MIN_TOKEN_LENGTH) return token;
  throw new AustreamError('CONFIG_INVALID', `the token file ${file} of ${name} is too short`, {
    fix: `put a token of ${MIN_TOKEN_LENGTH} characters or more into it`,
  });
}
