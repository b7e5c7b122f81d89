import { createHash } from 'node:crypto';
import type { Tally } from '../core/program.ts';
import { compareText } from './issue.ts';
import type { CompiledMatcher } from './matchers.ts';
import { keyOf } from './trackers.ts';

/** Collects what the journeys want to be counted over the lifetime. As with trackers, the id is made from the definition: the count outlives the journey that asked first. */
export class Tallies {
  readonly #byId = new Map<string, Tally>();

  /** @param key the property whose values are counted apart; null = per user */
  add(of: Tally['of'], { matcher, definition }: CompiledMatcher, key: string | null): string {
    const text = JSON.stringify([of, key, definition]);
    const id = createHash('sha256').update(text).digest('hex').slice(0, 12);
    this.#byId.set(id, { id, of, on: matcher, key: key === null ? null : keyOf(key) });
    return id;
  }

  all(): readonly Tally[] {
    return [...this.#byId.values()].sort((a, b) => compareText(a.id, b.id));
  }
}
