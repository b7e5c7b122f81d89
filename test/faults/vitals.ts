import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Processor } from './deployment.ts';
import { OracleError } from './row.ts';

const MIB = 1024 ** 2;
const SAMPLE_MS = 500;
/** USER_HZ, which Linux has fixed for what it tells of processes. */
const TICKS_PER_SECOND = 100;

/** Resident memory now; 0 where the process is gone. */
export async function residentMiB({ pid }: Processor): Promise<number> {
  const pages = Number((await procFile(pid, 'statm')).split(' ')[1] ?? 0);
  return (pages * 4096) / MIB;
}

/** CPU time since its start, user and system; 0 where the process is gone. */
export async function cpuSeconds({ pid }: Processor): Promise<number> {
  const stat = await procFile(pid, 'stat');
  // Behind the name, which may hold anything: fields 14 and 15 of proc(5) are the 12th and 13th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
}

/** Open file descriptors; 0 where the process is gone. A socket that nobody closed is one. */
export async function descriptors({ pid }: Processor): Promise<number> {
  return orGone(
    readdir(`/proc/${pid}/fd`).then(({ length }) => length),
    0,
  );
}

export interface MemoryWatch {
  /** The most that any of them had. */
  stop(): Promise<number>;
}

/** Looks at their memory while a fault lasts. */
export function watchMemory(processors: readonly Processor[]): MemoryWatch {
  let stopped = false;
  const watching = (async () => {
    let most = 0;
    while (!stopped) {
      most = Math.max(most, ...(await Promise.all(processors.map(residentMiB))));
      await sleep(SAMPLE_MS);
    }
    return most;
  })();
  return {
    stop: () => {
      stopped = true;
      return watching;
    },
  };
}

/**
 * That none of them has ended, by itself or by somebody else: an outage is sat out.
 * @throws OracleError
 */
export function allAlive(processors: readonly Processor[], when: string): void {
  for (const processor of processors) {
    const ended = processor.ended();
    if (ended !== undefined)
      throw new OracleError('O5', `a processor ended with ${ended} ${when}: ${processor.stderr().trim().split('\n').slice(-4).join('\n')}`);
  }
}

/** Whether it comes in time. */
export async function withinMs(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function procFile(pid: number, name: string): Promise<string> {
  return orGone(readFile(`/proc/${pid}/${name}`, 'utf8'), '');
}

async function orGone<T>(reading: Promise<T>, gone: T): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return gone;
    throw error;
  }
}
