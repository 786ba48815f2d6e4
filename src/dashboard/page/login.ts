import { byId, setText } from './dom.ts';
import { request, storeKey } from './session.ts';

const form = byId<HTMLFormElement>('login');
const button = byId<HTMLButtonElement>('show');
const token = byId<HTMLInputElement>('token');

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void signIn();
});

async function signIn(): Promise<void> {
  button.disabled = true;
  const error = await send();
  button.disabled = false;
  if (error === null) return location.replace('/');
  setText(byId('error'), error);
  token.setAttribute('aria-invalid', 'true');
  token.select();
}

/** Returns null on success, otherwise what is wrong. */
async function send(): Promise<string | null> {
  try {
    const response = await request('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: token.value }),
    });
    const { key, error } = (await response.json()) as { key?: string; error?: string };
    if (key === undefined) return error ?? 'austream refused the token';
    storeKey(key);
    return null;
  } catch {
    return 'austream does not answer. Try again.';
  }
}
