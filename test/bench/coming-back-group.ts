import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { groupIdOf } from '../../src/engine/worker.ts';
import type { Log } from '../../src/log/port.ts';
import { specOf, topicNames, topicPlans, type TopicNames } from '../../src/log/topics.ts';
import { Child } from './child.ts';
import type { MemberOptions } from './coming-back-child.ts';

export interface RestoredPartition {
  readonly partition: number;
  readonly rows: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** A processor, and what its log says of it. */
export class Member {
  readonly name: string;
  readonly child: Child;
  readonly startedMs = Date.now();

  constructor(name: string, options: MemberOptions) {
    this.name = name;
    this.child = new Child(process.execPath, [join(import.meta.dirname, 'coming-back-child.ts'), JSON.stringify(options)]);
  }

  /** Partitions that run now. */
  get running(): readonly number[] {
    const states = new Map<number, string>();
    for (const { msg, partition, state } of this.#log()) if (msg === 'task') states.set(Number(partition), String(state));
    return [...states].filter(([, state]) => state === 'running').map(([partition]) => partition);
  }

  get restored(): readonly RestoredPartition[] {
    return this.#log().filter(({ msg }) => msg === 'restored') as unknown as RestoredPartition[];
  }

  /** Standbys that have been at the end of their changelog. */
  get caughtUp(): readonly number[] {
    return this.#log().flatMap(({ msg, partition }) => (msg === 'standby: has caught up' ? [Number(partition)] : []));
  }

  get notes(): readonly string[] {
    return this.#log().map(({ msg }) => String(msg));
  }

  /** When its latest task began to run, by this process's clock. */
  get runningSinceMs(): number {
    return Math.max(
      ...this.#log().flatMap(({ msg, state, time }) => (msg === 'task' && state === 'running' ? [Date.parse(String(time))] : [])),
    );
  }

  #log(): readonly Record<string, unknown>[] {
    return this.child.lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []));
  }
}

/** Topics of their own, disks by name, and the processors that are members of one group. */
export class Group {
  readonly topics: TopicNames;
  readonly groupId: string;
  readonly partitions: number;
  readonly members = new Map<string, Member>();
  readonly #log: Log;
  readonly #prefix: string;
  readonly #folder: string;
  readonly #options: Pick<MemberOptions, 'bootstrap' | 'sessionTimeoutMs'>;
  readonly #signal: AbortSignal;

  private constructor(log: Log, prefix: string, folder: string, options: GroupOptions) {
    this.#log = log;
    this.#prefix = prefix;
    this.#folder = folder;
    this.#options = options;
    this.#signal = options.signal;
    this.partitions = options.partitions;
    this.topics = topicNames(prefix);
    this.groupId = groupIdOf(prefix, 'processor');
  }

  static async open(log: Log, options: GroupOptions): Promise<Group> {
    const prefix = `bench-${randomUUID().slice(0, 8)}`;
    const group = new Group(log, prefix, await mkdtemp(join(tmpdir(), 'lull-bench-')), options);
    await log.admin.createTopics(topicPlans(prefix).map((plan) => specOf(plan, options.partitions, 1)));
    return group;
  }

  /** Starts these members together, each on the disk of its name; one that ran before comes back. */
  async start(names: readonly string[], standbys: number): Promise<void> {
    const started = names.map((name) => {
      const options = { ...this.#options, prefix: this.#prefix, stateFolder: join(this.#folder, name), standbys };
      const member = new Member(name, options);
      this.members.set(name, member);
      return member;
    });
    await Promise.all(started.map(({ child }) => child.ready));
    for (const { child } of started) child.go();
  }

  /** Gracefully; resolves when it has gone. */
  async stop(name: string): Promise<void> {
    await this.members.get(name)?.child.stop();
    this.members.delete(name);
  }

  /** As the loss of its machine. */
  kill(name: string): Member {
    const member = this.members.get(name)!;
    process.kill(member.child.pid, 'SIGKILL');
    this.members.delete(name);
    return member;
  }

  /** Until every partition runs, each member has its part, and every standby that there shall be has caught up. */
  async settled(standbys: number): Promise<void> {
    const least = Math.floor(this.partitions / this.members.size);
    await this.until('all partitions run', () => {
      const members = [...this.members.values()];
      const running = members.map((member) => member.running);
      const followed = members.reduce((sum, { caughtUp }) => sum + new Set(caughtUp).size, 0);
      return (
        new Set(running.flat()).size === this.partitions &&
        running.every(({ length }) => length >= least && length <= least + 1) &&
        followed >= Math.min(standbys, members.length - 1) * this.partitions
      );
    });
  }

  async until(what: string, condition: () => boolean | Promise<boolean>, limitMs = 900_000): Promise<void> {
    const untilMs = Date.now() + limitMs;
    while (!(await condition())) {
      if (Date.now() > untilMs) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
      const gone = [...this.members.values()].find(({ child }) => child.hasExited);
      if (gone !== undefined) throw new Error(`processor ${gone.name} ended: ${gone.notes.at(-1) ?? 'without a word'}`);
      await sleep(25, undefined, { signal: this.#signal });
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.members.keys()].map((name) => this.stop(name)));
    await this.#log.admin.deleteTopics(topicPlans(this.#prefix).map(({ topic }) => topic));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export interface GroupOptions extends Pick<MemberOptions, 'bootstrap' | 'sessionTimeoutMs'> {
  readonly partitions: number;
  readonly signal: AbortSignal;
}
