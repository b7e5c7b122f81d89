import type { Turn } from './draft.ts';
import type { Journey } from './program.ts';

/** Where a journey's re-entry mark stands: per key where the journey has one. */
export function entryKeyOf(journey: Journey, key: string): string {
  return key === '' ? journey.name : `${journey.name}/${key}`;
}

/** Marks that the journey was entered, where its re-entry rule asks for it. Marks per key are bounded like the keys of a tracker: the oldest goes. */
export function recordEntry(turn: Turn, journey: Journey, key: string): void {
  if (journey.reentry.kind === 'always') return;
  const name = entryKeyOf(journey, key);
  const entries = Object.entries(turn.state.entries).filter(([other]) => other !== name);
  if (key !== '') {
    const mine = entries.filter(([other]) => other.startsWith(`${journey.name}/`)).sort((a, b) => a[1] - b[1]);
    for (const [oldest] of mine.slice(0, Math.max(0, mine.length + 1 - turn.program.limits.keysPerTracker)))
      entries.splice(
        entries.findIndex(([other]) => other === oldest),
        1,
      );
  }
  entries.push([name, turn.nowMs]);
  turn.state.entries = Object.fromEntries(entries);
}
