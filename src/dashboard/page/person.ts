import type { Hello } from '../protocol.ts';
import { byId, setText } from './dom.ts';
import { signOut } from './session.ts';

const NAMES: Readonly<Record<string, string>> = {
  link: 'signed in by link',
  everyone: 'open to everyone on this machine',
};

/** Shows who is signed in. Controls with the class `operate` appear for the role `operate` only. */
export function showPerson({ name, role, canSignOut }: Hello['person']): void {
  document.body.dataset.role = role;
  setText(byId('person'), role === 'view' ? `${name} (view only)` : (NAMES[name] ?? name));
  const button = byId<HTMLButtonElement>('sign-out');
  button.hidden = !canSignOut;
  button.addEventListener('click', () => void signOut());
}
