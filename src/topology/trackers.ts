import { own } from '../core/own.ts';
import { createHash } from 'node:crypto';
import type { KeyOf } from '../core/condition.ts';
import type { Tracker } from '../core/program.ts';
import type { CompiledMatcher } from './matchers.ts';
import { compareText } from './issue.ts';

/**
 * Collects what the journeys want to be remembered. The id is made from the definition alone: the same definition is one tracker however many journeys ask for it,
 * and an edit elsewhere in the topology does not orphan what is in the state.
 */
export class Trackers {
  readonly #byId = new Map<string, Tracker & { readonly definition: string }>();
  readonly #cap: number;

  constructor(cap: number) {
    this.#cap = cap;
  }

  /** @param key the property whose value tells occurrences apart; null = per user */
  add(matchers: readonly CompiledMatcher[], key: string | null, keepMs: number, role: TrackerRole = { restrains: true }): string {
    const types = [...new Set(matchers.map(({ definition }) => JSON.stringify(definition)))].sort(compareText);
    const { restrains, cap = 0 } = role;
    const definition = JSON.stringify(restrains ? [key, types] : [key, types, 'leads']);
    const id = createHash('sha256').update(definition).digest('hex').slice(0, 12);
    const known = this.#byId.get(id);
    if (known !== undefined && known.definition !== definition) throw new Error(`two trackers have the id ${id}`);
    this.#byId.set(id, {
      id,
      definition,
      matches: known?.matches ?? matchers.map(({ matcher }) => matcher),
      key: known?.key ?? (key === null ? null : keyOf(key)),
      keepMs: Math.max(keepMs, known?.keepMs ?? 0),
      cap: Math.max(this.#cap, cap, known?.cap ?? 0),
      restrains,
    });
    return id;
  }

  all(): readonly Tracker[] {
    return [...this.#byId.values()]
      .sort((a, b) => compareText(a.id, b.id))
      .map(({ id, matches, key, keepMs, cap, restrains }) => ({ id, matches, key, keepMs, cap, restrains }));
  }
}

/** Whether it holds something back, or leads to a message; and how many moments it needs at least. */
export interface TrackerRole {
  readonly restrains: boolean;
  readonly cap?: number;
}

/** The value of a property as a key; an empty text is none: it is how the state calls "per user". */
export function keyOf(property: string): KeyOf {
  return (event) => {
    const value = own(event.properties, property);
    return value === null || value === undefined || value === '' ? null : String(value);
  };
}
