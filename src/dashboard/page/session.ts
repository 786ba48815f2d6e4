/** A request without an answer ends after this time: a browser opens six connections to a server, and waits with the rest. */
const ANSWER_MS = 15_000;
/** Storage of this origin: unlike a cookie it is not shared with the other ports of the host. */
const KEY = 'austream-key';

/** Stores the key of a new session. */
export function storeKey(key: string): void {
  localStorage.setItem(KEY, key);
}

/** Takes the key that a link brought (`/#key=…`) out of the address bar and the history. */
export function takeKeyFromAddress(): void {
  const key = /^#key=([\w-]+)$/.exec(location.hash)?.[1];
  if (key === undefined) return;
  storeKey(key);
  history.replaceState(null, '', '/');
}

/**
 * Sends a request of this session. The header proves that it comes from this page: neither other sites nor other ports
 * of the host know the key.
 */
export function request(path: string, init: RequestInit = {}): Promise<Response> {
  const key = localStorage.getItem(KEY) ?? 'page';
  return fetch(path, {
    signal: AbortSignal.timeout(ANSWER_MS),
    ...init,
    headers: { ...init.headers, 'x-austream': key },
  });
}

export async function signOut(): Promise<void> {
  await request('/logout', { method: 'POST' }).catch(() => null);
  localStorage.removeItem(KEY);
  location.replace('/login');
}
