import type { CameraRequestError } from '../protocol.ts';
import { byId, setText } from './dom.ts';
import { request } from './session.ts';

const FIELDS = ['id', 'url', 'username', 'password'] as const;

/** The dialogs that add and remove a camera. What the user types is sent to austream and never shown on the page. */
export class CameraDialogs {
  readonly #addDialog = byId<HTMLDialogElement>('add');
  readonly #form = byId<HTMLFormElement>('add-form');
  readonly #removeDialog = byId<HTMLDialogElement>('remove');
  #removedId = '';

  constructor() {
    byId('add-camera').addEventListener('click', () => this.#addDialog.showModal());
    // Clears the form, so that no password stays in the page.
    this.#addDialog.addEventListener('close', () => {
      this.#form.reset();
      this.#showErrors({});
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#sendNewCamera();
    });
    byId('remove-yes').addEventListener('click', () => void this.#sendRemoval());
    for (const button of document.querySelectorAll<HTMLElement>('dialog [data-close]'))
      button.addEventListener('click', () => button.closest('dialog')!.close());
  }

  /** Asks the user to confirm, then removes the camera. */
  confirmRemoval(id: string): void {
    this.#removedId = id;
    setText(byId('remove-title'), `Remove ${id}?`);
    setText(byId('remove-error'), '');
    this.#removeDialog.showModal();
  }

  async #sendNewCamera(): Promise<void> {
    const fields = [...new FormData(this.#form)].filter(([, value]) => value !== '');
    const error = await this.#whileDisabled(byId('add-yes'), () =>
      change('POST', '/cameras', JSON.stringify(Object.fromEntries(fields))),
    );
    if (!error) return this.#addDialog.close();
    this.#showErrors(error);
    const first = FIELDS.find((name) => error.fields?.[name]);
    if (first) this.#field(first).focus();
  }

  async #sendRemoval(): Promise<void> {
    const error = await this.#whileDisabled(byId('remove-yes'), () =>
      change('DELETE', `/cameras/${encodeURIComponent(this.#removedId)}`),
    );
    if (error) setText(byId('remove-error'), error.error ?? '');
    else this.#removeDialog.close();
  }

  /** Disables the button while the request runs, against double clicks. */
  async #whileDisabled<T>(button: HTMLButtonElement, send: () => Promise<T>): Promise<T> {
    button.disabled = true;
    try {
      return await send();
    } finally {
      button.disabled = false;
    }
  }

  #showErrors({ error, fields = {} }: CameraRequestError): void {
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

/** Sends a change; returns null on success. */
export async function change(
  method: 'POST' | 'DELETE',
  path: string,
  body?: string,
): Promise<CameraRequestError | null> {
  const json = body ? { body, headers: { 'content-type': 'application/json' } } : {};
  try {
    const response = await request(path, { method, ...json });
    if (response.ok) return null;
    if (response.status === 401)
      return { error: 'Your session has ended. Reload the page and sign in again.' };
    return (await response.json()) as CameraRequestError;
  } catch {
    return { error: 'austream does not answer. Try again.' };
  }
}
