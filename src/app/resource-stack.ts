import { log } from '../log.ts';

interface Resource {
  readonly name: string;
  close(): unknown;
}

/**
 * Resources of a process in the order in which they were opened; closes them in reverse order. Each one is closed, even
 * when closing another fails. Stands in for AsyncDisposableStack, which needs Node 24.
 */
export class ResourceStack {
  readonly #resources: Resource[] = [];

  /** `name` appears in the log when `close` fails after an earlier error. */
  add(name: string, close: () => unknown): void {
    this.#resources.push({ name, close });
  }

  /** Runs `open`. Closes everything when it throws, then rethrows. */
  async closeOnFailure<T>(open: () => Promise<T>): Promise<T> {
    try {
      return await open();
    } catch (error) {
      await this.#closeAll([error]);
      throw error;
    }
  }

  /** Runs `work`, then closes everything, also when it throws. Throws the first error. */
  async closeAfter<T>(work: () => Promise<T>): Promise<T> {
    const result = await this.closeOnFailure(work);
    await this.close();
    return result;
  }

  /** Closes everything. Throws the first error. */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    await this.#closeAll(errors);
    if (errors.length > 0) throw errors[0];
  }

  /** Appends to `errors`; logs every error but the first. */
  async #closeAll(errors: unknown[]): Promise<void> {
    for (const { name, close } of this.#resources.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        if (errors.length > 0 && !errors.includes(error))
          log.warn({ resource: name }, `the ${name} failed to close: ${messageOf(error)}`);
        errors.push(error);
      }
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
