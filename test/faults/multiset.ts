/** Things by how often they are there. */
export class Multiset<T> {
  readonly #counts = new Map<T, number>();

  constructor(items: Iterable<T> = []) {
    for (const item of items) this.add(item);
  }

  add(item: T, by = 1): void {
    this.#counts.set(item, this.count(item) + by);
  }

  count(item: T): number {
    return this.#counts.get(item) ?? 0;
  }

  /** Each as often as it is there. */
  items(): T[] {
    return [...this.#counts].flatMap(([item, count]) => Array.from({ length: Math.max(0, count) }, () => item));
  }

  entries(): IterableIterator<[T, number]> {
    return this.#counts.entries();
  }
}

/** A line for each thing that is there too often or too rarely; none where both hold the same. */
export function differences(
  where: string,
  expected: readonly string[],
  got: readonly string[],
  name: (item: string) => string = (item) => item,
): string[] {
  const over = new Multiset(got);
  for (const item of expected) over.add(item, -1);
  const want = new Multiset(expected);
  return [...over.entries()]
    .filter(([, by]) => by !== 0)
    .map(([item, by]) => `${where}: ${want.count(item) + by} times, must be ${want.count(item)}: ${name(item)}`);
}
