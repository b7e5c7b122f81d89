import { StateLostError, toError } from '../engine/errors.ts';
import type { Row } from '../engine/stage.ts';
import { keyBehind } from '../store/key-behind.ts';
import type { PartitionStore, StoreOp } from '../store/port.ts';
import { behindPrefix, decodeUntil, encodeUntil } from './row.ts';
import { endOps, INTEREST_TABLE } from './tables.ts';

/** One row of interest. */
export interface Interested {
  readonly key: Buffer;
  readonly untilMs: number;
}

interface Known {
  readonly key: Buffer;
  /** Of its keys' prefix, as latin1. */
  readonly group: string;
  /** In the store; null = there is no row. */
  beforeMs: number | null;
  untilMs: number | null;
}

/** Rows of interest as the transaction in work sees them: what it changed, over the store, which knows nothing of it until the commit. */
export class Interests {
  readonly #store: PartitionStore;
  /** Every row that this batch reads or changes. */
  readonly #known = new Map<string, Known>();
  /** Those that the transaction changes, by item and change. */
  readonly #changed = new Map<string, Set<Known>>();
  changedCount = 0;

  constructor(store: PartitionStore) {
    this.#store = store;
  }

  /** Before `set`: what is there, asked for at once. */
  async load(rows: readonly { readonly prefix: Buffer; readonly key: Buffer }[]): Promise<void> {
    const asked = new Map<string, Known>();
    for (const { prefix, key } of rows) {
      const id = key.toString('latin1');
      if (!this.#known.has(id)) asked.set(id, { key, group: prefix.toString('latin1'), beforeMs: null, untilMs: null });
    }
    const news = [...asked];
    const values = await this.#store.getMany(
      INTEREST_TABLE,
      news.map(([, { key }]) => key),
    );
    for (const [i, [id, known]] of news.entries()) {
      const value = values[i] ?? null;
      known.beforeMs = known.untilMs = value === null ? null : untilOf(value);
      this.#known.set(id, known);
    }
  }

  /** null: no interest any more. */
  set(key: Buffer, untilMs: number | null): void {
    const known = this.#known.get(key.toString('latin1'));
    if (known === undefined) throw new Error('a row of interest that was not loaded');
    known.untilMs = untilMs;
    let group = this.#changed.get(known.group);
    if (group === undefined) this.#changed.set(known.group, (group = new Set()));
    if (!group.has(known)) this.changedCount++;
    group.add(known);
  }

  /**
   * Who is interested, behind a key (null = from the first), in the order of keys; `last` is where to go on, null = there are no more. What the transaction has changed is
   * only in it where all of it fits: undefined = commit first, and ask again.
   */
  async page(
    prefix: Buffer,
    after: Buffer | null,
    limit: number,
  ): Promise<{ readonly rows: readonly Interested[]; readonly last: Buffer | null } | undefined> {
    const gte = after === null ? prefix : keyBehind(after);
    const stored = await this.#store.scan(INTEREST_TABLE, { gte, lt: behindPrefix(prefix), limit });
    const last = stored.length < limit ? null : stored.at(-1)!.key;
    const rows = stored.map(({ key, value }): Interested => ({ key, untilMs: untilOf(value) }));
    const changed = this.#changed.get(prefix.toString('latin1'));
    if (changed === undefined) return { rows, last };
    if (last !== null || rows.length + changed.size > limit) return undefined;
    const keys = new Set([...changed].map(({ key }) => key.toString('latin1')));
    const news = [...changed].flatMap(({ key, untilMs }) => (untilMs === null ? [] : [{ key, untilMs }]));
    return { rows: [...rows.filter(({ key }) => !keys.has(key.toString('latin1'))), ...news], last };
  }

  /** For the changelog, and for the index; and when the first of the rows ends. */
  get output(): { readonly rows: Row[]; readonly derived: StoreOp[]; readonly firstEndMs: number } {
    const rows: Row[] = [];
    const derived: StoreOp[] = [];
    let firstEndMs = Infinity;
    for (const group of this.#changed.values()) {
      for (const { key, beforeMs, untilMs } of group) {
        if (beforeMs === untilMs) continue;
        rows.push({ key, value: untilMs === null ? null : encodeUntil(untilMs) });
        derived.push(...endOps(key, beforeMs, untilMs));
        firstEndMs = Math.min(firstEndMs, untilMs ?? Infinity);
      }
    }
    return { rows, derived, firstEndMs };
  }

  /** The store has it now. */
  committed(): void {
    for (const group of this.#changed.values()) for (const known of group) known.beforeMs = known.untilMs;
    this.#changed.clear();
    this.changedCount = 0;
  }

  /** The batch is done. */
  forget(): void {
    this.#known.clear();
    this.#changed.clear();
    this.changedCount = 0;
  }
}

/** Of a row in the store: the changelog has it as it was written. @throws StateLostError */
export function untilOf(value: Buffer): number {
  try {
    return decodeUntil(value);
  } catch (cause) {
    throw new StateLostError(`the local store has ${toError(cause).message}`, { cause });
  }
}
