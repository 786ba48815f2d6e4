/** `operate` includes `view`. */
export type Role = 'view' | 'operate';

/** Someone who may use the live page. */
export interface Person {
  readonly name: string;
  readonly role: Role;
  /** Ids of the cameras that the person may see and change; null: all. */
  readonly cameras: ReadonlySet<string> | null;
  /** Digest of what the person signed in with: a session ends when it changes. */
  readonly credential: string;
}

export function maySee({ cameras }: Person, cameraId: string): boolean {
  return cameras === null || cameras.has(cameraId);
}

export function mayAct(person: Person, role: Role): boolean {
  return role === 'view' || person.role === role;
}
