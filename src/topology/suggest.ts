import { compareText } from './issue.ts';

/** What somebody probably meant, as a sentence: the nearest name, or the list where it is short. null where neither helps. */
export function didYouMean(name: string, known: Iterable<string>, noun = 'known'): string | null {
  const names = [...known];
  const nearest = nearestName(name, names);
  if (nearest !== null) return `did you mean \`${nearest}\`?`;
  if (names.length === 0 || names.length > 12) return null;
  return `${noun}: ${names.join(', ')}`;
}

/** The name at the smallest edit distance, if it is near enough to be a slip of the fingers. */
export function nearestName(name: string, names: readonly string[]): string | null {
  const limit = Math.max(1, Math.floor(name.length / 3));
  let best: string | null = null;
  let bestDistance = limit + 1;
  for (const candidate of [...names].sort(compareText)) {
    const distance = plain(name) === plain(candidate) ? 0 : editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `cartId`, `cart_id` and `cart-id` are one name to somebody who misremembers it. */
function plain(name: string): string {
  return name.replace(/[-_ ]/g, '').toLowerCase();
}

/** Insertions, deletions, substitutions and swapped neighbours. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}
