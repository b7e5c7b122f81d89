import { readdirSync, readFileSync } from 'node:fs';

/** Kernel clock ticks per second; 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100;

/** Some processes with all their descendants, from /proc (Linux). */
export class ProcessUsage {
  readonly #pids: readonly number[];
  #peakRssBytes = 0;
  #peakPssBytes = 0;

  constructor(...pids: readonly number[]) {
    this.#pids = pids;
  }

  /** User and system time, in seconds. */
  cpuSeconds(): number {
    return this.#tree().reduce((sum, pid) => sum + cpuTicks(pid), 0) / TICKS_PER_S;
  }

  /** CPU seconds by the name of the thread: how much is V8's helpers, RocksDB's or libuv's, which a CPU profile of the main thread does not show. */
  cpuSecondsByThread(): ReadonlyMap<string, number> {
    const byName = new Map<string, number>();
    for (const pid of this.#tree())
      for (const thread of entriesOf(`/proc/${pid}/task`)) {
        const name = thread === String(pid) ? 'main' : textOf(`/proc/${pid}/task/${thread}/comm`).trim();
        byName.set(name, (byName.get(name) ?? 0) + cpuTicks(`${pid}/task/${thread}`) / TICKS_PER_S);
      }
    return byName;
  }

  /** Takes a sample of the resident memory of all of them together: what is shared counts once for each. */
  sampleRss(): void {
    this.#peakRssBytes = Math.max(this.#peakRssBytes, sum(this.#tree().map((pid) => kibibytes(`/proc/${pid}/status`, 'VmRSS'))));
  }

  /** As `sampleRss`, where what is shared is divided among those that share it. The kernel walks the page tables for it: not often. */
  samplePss(): void {
    this.#peakPssBytes = Math.max(this.#peakPssBytes, sum(this.#tree().map((pid) => kibibytes(`/proc/${pid}/smaps_rollup`, 'Pss'))));
  }

  get peakRssMiB(): number {
    return Math.round(this.#peakRssBytes / 1024 ** 2);
  }

  get peakPssMiB(): number {
    return Math.round(this.#peakPssBytes / 1024 ** 2);
  }

  #tree(): number[] {
    const children = new Map<number, number[]>();
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const parent = Number(statFields(entry)?.[1] ?? -1);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    }
    const tree = [...this.#pids];
    for (const pid of tree) tree.push(...(children.get(pid) ?? []));
    return tree;
  }
}

/** Fields behind the command's name: state, parent, ... undefined where the process has gone. */
function statFields(process: string): string[] | undefined {
  const stat = textOf(`/proc/${process}/stat`);
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function cpuTicks(process: number | string): number {
  const fields = statFields(String(process));
  return fields === undefined ? 0 : Number(fields[11]) + Number(fields[12]);
}

function kibibytes(file: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(textOf(file));
  return Number(match?.[1] ?? 0) * 1024;
}

/** Empty where the process has just gone: it uses nothing any more. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isGone(error)) return '';
    throw error;
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
