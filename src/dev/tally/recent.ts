/** The latest items, oldest first, never more than `cap`. */
export class Recent<T> {
  #items: T[] = [];
  readonly #cap: number;

  constructor(cap: number) {
    this.#cap = cap;
  }

  push(item: T): void {
    this.#items.push(item);
    if (this.#items.length > 2 * this.#cap) this.#items = this.#items.slice(-this.#cap);
  }

  /** The latest `cap` at most, and begins anew. */
  take(): readonly T[] {
    const taken = this.latest();
    this.#items = [];
    return taken;
  }

  latest(): readonly T[] {
    return this.#items.slice(-this.#cap);
  }
}

/** Keeps the `cap` keys that were touched last. */
export class LatestMap<K, V> {
  readonly #map = new Map<K, V>();
  readonly #cap: number;

  constructor(cap: number) {
    this.#cap = cap;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  values(): MapIterator<V> {
    return this.#map.values();
  }

  set(key: K, value: V): void {
    this.#map.delete(key);
    this.#map.set(key, value);
    if (this.#map.size <= this.#cap) return;
    const [oldest] = this.#map.keys();
    this.#map.delete(oldest!);
  }
}
