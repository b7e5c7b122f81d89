import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from '../deployment.ts';
import { descriptors, residentMiB } from '../vitals.ts';
import type { Role, Slot } from './fleet.ts';

const EVERY_MS = 1_000;
const ANSWERS_WITHIN_MS = 700;
const MIB = 1024 ** 2;

/** One process at one second. */
export interface Vitals {
  readonly name: string;
  readonly role: Role;
  /** Of which of its lives. */
  readonly pid: number;
  readonly residentMiB: number;
  /** By its own metrics; undefined while it does not answer. */
  readonly heapMiB: number | undefined;
  readonly descriptors: number;
}

export interface Sample {
  /** Since the start of the load. */
  readonly atS: number;
  readonly processes: readonly Vitals[];
  /** Records that the processors, and the senders, have not committed yet; undefined while the brokers do not answer. */
  readonly lag: Readonly<Record<Role, number | undefined>>;
}

/** Looks at everybody once a second. */
export class Sampler {
  readonly samples: Sample[] = [];
  readonly #deployment: Deployment;
  readonly #slots: readonly Slot[];
  readonly #beganMs = performance.now();
  readonly #urls = new Map<number, string>();
  #running: Promise<void> | undefined;
  #stopping = false;

  constructor(deployment: Deployment, slots: readonly Slot[]) {
    this.#deployment = deployment;
    this.#slots = slots;
  }

  get nowS(): number {
    return (performance.now() - this.#beganMs) / 1000;
  }

  start(): void {
    this.#running = this.#run();
    this.#running.catch(() => undefined); // `stop` tells
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const atS = this.nowS;
      const { group, prefix, topics } = this.#deployment;
      const [processes, processor, sender] = await Promise.all([
        Promise.all(this.#slots.map((slot) => this.#vitals(slot))),
        this.#lag(group, topics.timeline),
        this.#lag(`${prefix}-sender-fcm`, topics.dispatch),
      ]);
      this.samples.push({ atS, processes: processes.filter(({ residentMiB: mib }) => mib > 0), lag: { processor, sender } });
      await sleep(Math.max(0, EVERY_MS - (this.nowS - atS) * 1000));
    }
  }

  async #vitals({ name, role, process: child }: Slot): Promise<Vitals> {
    const [resident, open, heapMiB] = await Promise.all([residentMiB(child), descriptors(child), this.#heapMiB(child.pid, child.stderr)]);
    return { name, role, pid: child.pid, residentMiB: resident, heapMiB, descriptors: open };
  }

  async #heapMiB(pid: number, stderr: () => string): Promise<number | undefined> {
    const url = this.#urls.get(pid) ?? /"url":"(http[^"]+)"/.exec(stderr())?.[1];
    if (url === undefined) return undefined;
    this.#urls.set(pid, url);
    const text = await orNothing(fetch(`${url}/metrics`, { signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) }).then((reply) => reply.text()));
    const used = /^nodejs_heap_size_used_bytes(?:\{[^}]*\})? (\S+)$/m.exec(text ?? '')?.[1];
    return used === undefined ? undefined : Number(used) / MIB;
  }

  async #lag(group: string, topic: string): Promise<number | undefined> {
    const { admin } = this.#deployment.log;
    const answer = Promise.all([admin.offsets(topic), admin.groupOffsets(group, topic)]);
    const known = await orNothing(Promise.race([answer, sleep(ANSWERS_WITHIN_MS, undefined, { ref: false })]));
    if (known === undefined) {
      answer.catch(() => undefined); // late: nobody waits for it any more
      return undefined;
    }
    const [ends, read] = known;
    return [...ends].reduce((sum, [partition, { start, end }]) => sum + end - (read.get(partition) ?? start), 0);
  }
}

/** Who is dead, frozen or cut off does not answer: that is a sample as well. */
async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch {
    return undefined;
  }
}
