import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/**
 * The id in the group of the process that has a store, in a file beside it. Who finds one after it got the store's lock knows that its predecessor has died
 * without leaving the group, and takes its place there: else the group would wait until the dead one's session times out.
 */
export class MemberIdFile {
  readonly #path: string;

  constructor(storePath: string) {
    this.#path = `${storePath}.member`;
  }

  /** undefined where the predecessor has left, or there was none. */
  read(): string | undefined {
    try {
      return readFileSync(this.#path, 'utf8').trim() || undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** undefined: this process has left. */
  write(memberId: string | undefined): void {
    if (memberId === undefined) rmSync(this.#path, { force: true });
    else writeFileSync(this.#path, `${memberId}\n`);
  }
}
