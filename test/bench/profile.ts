import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

/** What V8 writes with `--cpu-prof`, as far as it is used here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

export interface ProfileSummary {
  readonly busySeconds: number;
  /** Share of the time that the main thread was busy, by area, the largest first. */
  readonly areas: Readonly<Record<string, number>>;
  /** `function (file:line)` and its own share (what it calls apart), the largest first. */
  readonly functions: Readonly<Record<string, number>>;
}

const ROOT = path.resolve(import.meta.dirname, '../..');
/** The first that matches a path below the repository's root. */
const AREAS: readonly (readonly [RegExp, string])[] = [
  [/^src\/core\/(timers|time)\.ts/, 'core: timers'],
  [/^src\/core\/(patterns|trackers)\.ts/, 'core: patterns'],
  [/^src\/core\/(gate|ledger|decisions|own|ids|reentry)\.ts/, 'core: gate'],
  [/^src\/core\/sessions\.ts/, 'core: sessions'],
  [/^src\/core\//, 'core: the rest'],
  [/^src\/topology\//, 'conditions'],
  [/^src\/processor\/(timer|heap)/, 'timer index'],
  [/^src\/processor\/user-/, 'user rows'],
  [/^src\/processor\/users\.ts/, 'cache of users'],
  [/^src\/processor\//, 'processor'],
  [/^src\/avro\//, 'event and command codec'],
  [/^src\/store\//, 'store (main thread)'],
  [/^src\/log\/kafka\/(reader|fetch|record-batch|committed|byte-reader|lz|lz4|snappy)\.ts/, 'fetch'],
  [/^src\/log\/kafka\/(encode-batch|produce|producer-session|split|transaction|writer)\.ts/, 'commit'],
  [/^src\/engine\/(commit|position|checkpoint)\.ts/, 'commit'],
  [/^src\/log\//, 'log client'],
  [/^src\/engine\//, 'engine'],
  [/^src\/(telemetry|cli)\//, 'metrics'],
  [/^node_modules\/kafkajs\//, 'log client'],
];
const FUNCTIONS = 25;

/** Where the main thread's time went. Time in Node and in packages counts for the code of ours that called it; what nobody called is `node`. */
export function summarise(profiles: readonly CpuProfile[]): ProfileSummary {
  const areas = new Map<string, number>();
  const functions = new Map<string, number>();
  let busyUs = 0;
  for (const profile of profiles) {
    const places = placesOf(profile);
    for (const [i, id] of profile.samples.entries()) {
      const place = places.get(id)!;
      if (place.area === 'idle') continue;
      // A sample stands for the time until the next one.
      const us = Math.max(0, profile.timeDeltas[i + 1] ?? 0);
      busyUs += us;
      areas.set(place.area, (areas.get(place.area) ?? 0) + us);
      functions.set(place.name, (functions.get(place.name) ?? 0) + us);
    }
  }
  const shares = (times: ReadonlyMap<string, number>, count: number): Record<string, number> =>
    Object.fromEntries(
      [...times]
        .sort(([, a], [, b]) => b - a)
        .slice(0, count)
        .map(([name, us]) => [name, Number((us / busyUs).toFixed(4))]),
    );
  return { busySeconds: Number((busyUs / 1e6).toFixed(2)), areas: shares(areas, Infinity), functions: shares(functions, FUNCTIONS) };
}

export function readProfile(file: string): CpuProfile {
  return JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
}

export function profileTable({ busySeconds, areas, functions }: ProfileSummary): string {
  const rows = (shares: Readonly<Record<string, number>>): string =>
    Object.entries(shares)
      .map(([name, share]) => `| ${(share * 100).toFixed(1).padStart(5)} % | ${(share * busySeconds).toFixed(2).padStart(6)} | ${name} |\n`)
      .join('');
  const head = (what: string): string => `| share | s | ${what} |\n| ---: | ---: | --- |\n`;
  return `${head(`area (of ${busySeconds} s busy on main threads)`)}${rows(areas)}\n${head('function, itself')}${rows(functions)}`;
}

interface Place {
  readonly area: string;
  readonly name: string;
}

function placesOf({ nodes }: CpuProfile): Map<number, Place> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const places = new Map<number, Place>();
  // Parents come before their children: an area is handed down to what has none of its own.
  const waiting: { readonly id: number; readonly above: string }[] = nodes.slice(0, 1).map(({ id }) => ({ id, above: 'node' }));
  for (const { id, above } of waiting) {
    const { callFrame, children = [] } = byId.get(id)!;
    const file = fileOf(callFrame.url);
    const area = own(callFrame.functionName) ?? AREAS.find(([pattern]) => pattern.test(file))?.[1] ?? above;
    const where = file === '' ? '' : ` (${file}:${callFrame.lineNumber + 1})`;
    places.set(id, { area, name: `${callFrame.functionName || 'anonymous'}${where}` });
    for (const child of children) waiting.push({ id: child, above: area });
  }
  return places;
}

/** What V8 shows as functions of their own. */
function own(functionName: string): string | undefined {
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'garbage collection';
  return functionName === '(program)' ? 'node' : undefined;
}

function fileOf(url: string): string {
  if (!url.startsWith('file:')) return url;
  return path.relative(ROOT, fileURLToPath(url));
}
