import type { Role } from './fleet.ts';
import type { Sample, Vitals } from './samples.ts';

/** Two medians that have to be about the same. */
export interface Flatness {
  /** `processor 1 (life 1, 598 s): resident MiB`. */
  readonly what: string;
  /** Of the second fifth of the time: the first is warming up. */
  readonly before: number;
  /** Of the last fifth. */
  readonly after: number;
  readonly atMost: number;
}

/** A shorter life is all warm-up: code is compiled, caches fill up. In a short soak, most of it has to do. */
const MIN_LIFE_S = 150;
const MIN_SHARE = 0.75;
/**
 * Resident memory takes longer to level off: 5 minutes, of a sender at 5,000 events/s (303 MiB after 90 s, 384 after 300, 397 after 595). So it is judged of those that lived for
 * most of the soak; what leaks in the others, heap and descriptors tell.
 */
const LONG_LIVED = new Set(['resident MiB']);
/**
 * How much more may be there at the end: a heap that is collected lazily, code that was compiled meanwhile, caches that fill up to their bounds. A leak of one buffer
 * of 1 KiB per event would be ten times as much in ten minutes.
 */
const MEASURES: Readonly<
  Record<'resident MiB' | 'heap MiB' | 'descriptors', readonly [(vitals: Vitals) => number | undefined, (before: number) => number]>
> = {
  'resident MiB': [(vitals) => vitals.residentMiB, (before) => before * 1.15 + 24],
  'heap MiB': [(vitals) => vitals.heapMiB, (before) => before * 1.25 + 16],
  descriptors: [(vitals) => vitals.descriptors, (before) => before + 10],
};

/** O6: memory and descriptors of each life of each process, and lag, from the second fifth of its time to the last. */
export function flatness(samples: readonly Sample[], perSecond: number): readonly Flatness[] {
  return [
    ...lives(samples).flatMap((life) => lifeFlatness(life, samples.at(-1)?.atS ?? 0)),
    ...(['processor', 'sender'] as const).flatMap((role) => lagFlatness(samples, role, perSecond)),
  ];
}

export function isFlat({ after, atMost }: Flatness): boolean {
  return after <= atMost;
}

interface Life {
  readonly name: string;
  readonly vitals: readonly Vitals[];
  readonly seconds: number;
}

/** Every process that lived long enough, in the order of their starts. */
function lives(samples: readonly Sample[]): readonly Life[] {
  const byPid = new Map<number, { readonly atS: number; readonly vitals: Vitals }[]>();
  for (const { atS, processes } of samples)
    for (const vitals of processes) {
      const all = byPid.get(vitals.pid) ?? [];
      byPid.set(vitals.pid, all);
      all.push({ atS, vitals });
    }
  const leastS = Math.min(MIN_LIFE_S, MIN_SHARE * (samples.at(-1)?.atS ?? 0));
  const born = new Map<string, number>();
  return [...byPid.values()].flatMap((seen) => {
    const { name } = seen[0]!.vitals;
    const nth = (born.get(name) ?? 0) + 1;
    born.set(name, nth);
    const seconds = seen.at(-1)!.atS - seen[0]!.atS;
    return seconds < leastS
      ? []
      : [{ name: `${name} (life ${nth}, ${seconds.toFixed(0)} s)`, vitals: seen.map(({ vitals }) => vitals), seconds }];
  });
}

function lifeFlatness({ name, vitals, seconds }: Life, soakS: number): Flatness[] {
  return Object.entries(MEASURES).flatMap(([measure, [of, bound]]) => {
    if (LONG_LIVED.has(measure) && seconds < MIN_SHARE * soakS) return [];
    const pair = fifths(vitals.map(of));
    return pair === undefined ? [] : [{ what: `${name}: ${measure}`, ...pair, atMost: bound(pair.before) }];
  });
}

/** What has come in within two seconds is no backlog. */
function lagFlatness(samples: readonly Sample[], role: Role, perSecond: number): Flatness[] {
  const pair = fifths(samples.map(({ lag }) => lag[role]));
  return pair === undefined ? [] : [{ what: `lag of ${role}s: records`, ...pair, atMost: pair.before + 2 * perSecond }];
}

function fifths(values: readonly (number | undefined)[]): { readonly before: number; readonly after: number } | undefined {
  const fifth = values.length / 5;
  const before = median(values.slice(Math.floor(fifth), Math.floor(2 * fifth)));
  const after = median(values.slice(Math.floor(4 * fifth)));
  return before === undefined || after === undefined ? undefined : { before, after };
}

export function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
