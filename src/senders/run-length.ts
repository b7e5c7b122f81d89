/**
 * Counts how often the same trouble came in a row, over all devices. One odd answer is about one device; several in a row
 * without a single success are about us (a wrong project or key), and a wrong project must never prune the base.
 */
export class RunLength {
  readonly #limit: number;
  readonly #runs = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True when this makes the run reach the limit. */
  add(trouble: string): boolean {
    const run = (this.#runs.get(trouble) ?? 0) + 1;
    this.#runs.set(trouble, run);
    return run >= this.#limit;
  }

  /** Something worked: whatever it was, it is not us. */
  clear(): void {
    this.#runs.clear();
  }
}
