import { readdirSync, readFileSync } from 'node:fs';

/** Kernel clock ticks per second; 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100;

/** A process with all its descendants, from /proc (Linux). */
export class ProcessUsage {
  readonly #pid: number;
  #peakRssBytes = 0;

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** User and system time, in seconds. */
  cpuSeconds(): number {
    return this.#tree().reduce((sum, pid) => sum + cpuTicks(pid), 0) / TICKS_PER_S;
  }

  /** Takes a sample of the resident memory of all of them together. */
  sampleRss(): void {
    this.#peakRssBytes = Math.max(
      this.#peakRssBytes,
      this.#tree().reduce((sum, pid) => sum + rssBytes(pid), 0),
    );
  }

  get peakRssMiB(): number {
    return Math.round(this.#peakRssBytes / 1024 ** 2);
  }

  #tree(): number[] {
    const children = new Map<number, number[]>();
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const parent = Number(statFields(Number(entry))?.[1] ?? -1);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    }
    const tree = [this.#pid];
    for (const pid of tree) tree.push(...(children.get(pid) ?? []));
    return tree;
  }
}

/** Fields behind the command's name: state, parent, ... undefined where the process has gone. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function cpuTicks(pid: number): number {
  const fields = statFields(pid);
  return fields === undefined ? 0 : Number(fields[11]) + Number(fields[12]);
}

function rssBytes(pid: number): number {
  try {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
