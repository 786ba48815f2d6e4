import type { Refusal } from '../protocol.ts';
import { byId, setText } from './dom.ts';

const FIELDS = ['id', 'url', 'username', 'password'] as const;

/** Asks for a new camera, and whether one is to go. What is typed goes to austream, and nowhere on the page. */
export class CameraChanges {
  readonly #add = byId<HTMLDialogElement>('add');
  readonly #form = byId<HTMLFormElement>('add-form');
  readonly #remove = byId<HTMLDialogElement>('remove');
  #going = '';

  constructor() {
    byId('add-camera').addEventListener('click', () => this.#add.showModal());
    // Nothing typed stays behind, the password least of all.
    this.#add.addEventListener('close', () => {
      this.#form.reset();
      this.#complain({});
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
    byId('remove-yes').addEventListener('click', () => void this.#confirmed());
    for (const button of document.querySelectorAll<HTMLElement>('dialog [data-close]'))
      button.addEventListener('click', () => button.closest('dialog')!.close());
  }

  /** Removes a camera if whoever sits there means it. */
  ask(id: string): void {
    this.#going = id;
    setText(byId('remove-title'), `Remove ${id}?`);
    setText(byId('remove-error'), '');
    this.#remove.showModal();
  }

  async #send(): Promise<void> {
    const given = [...new FormData(this.#form)].filter(([, value]) => value !== '');
    const refused = await this.#during(byId('add-yes'), () =>
      request('POST', '/cameras', JSON.stringify(Object.fromEntries(given))),
    );
    if (!refused) return this.#add.close();
    this.#complain(refused);
    const first = FIELDS.find((name) => refused.fields?.[name]);
    if (first) this.#field(first).focus();
  }

  async #confirmed(): Promise<void> {
    const refused = await this.#during(byId('remove-yes'), () =>
      request('DELETE', `/cameras/${encodeURIComponent(this.#going)}`),
    );
    if (refused) setText(byId('remove-error'), refused.error ?? '');
    else this.#remove.close();
  }

  /** Nobody presses twice meanwhile. */
  async #during<T>(button: HTMLButtonElement, act: () => Promise<T>): Promise<T> {
    button.disabled = true;
    try {
      return await act();
    } finally {
      button.disabled = false;
    }
  }

  #complain({ error, fields = {} }: Refusal): void {
    setText(byId('add-error'), error ?? '');
    for (const name of FIELDS) {
      setText(byId(`add-${name}-error`), fields[name] ?? '');
      this.#field(name).setAttribute('aria-invalid', String(fields[name] !== undefined));
    }
  }

  #field(name: (typeof FIELDS)[number]): HTMLInputElement {
    return byId(`add-${name}`);
  }
}

/** Null when it was done. */
async function request(method: 'POST' | 'DELETE', path: string, body?: string): Promise<Refusal | null> {
  const headers = { 'x-austream': 'page', ...(body ? { 'content-type': 'application/json' } : {}) };
  try {
    const response = await fetch(path, { method, headers, ...(body ? { body } : {}) });
    if (response.ok) return null;
    if (response.status === 401) return { error: 'Reload the page and give the token again.' };
    return (await response.json()) as Refusal;
  } catch {
    return { error: 'austream does not answer. Try again.' };
  }
}
