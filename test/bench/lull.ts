import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WORKER_ENVIRONMENT, WORKER_NODE_FLAGS } from '../../src/cli/workers/node-flags.ts';
import { cacheFolder } from '../../src/dev/stack/cache.ts';
import { groupIdOf } from '../../src/engine/worker.ts';
import type { Log } from '../../src/log/port.ts';
import { specOf, topicNames, topicPlans, type TopicNames } from '../../src/log/topics.ts';
import { Child, goTogether } from './child.ts';
import type { ChildOptions } from './w1-child.ts';

/**
 * As `lull process` starts its workers. What is installed is JavaScript; here Node strips the types, and what it needs for that stays in memory (17 MiB a process), unless
 * it has the result in its cache.
 */
const ENVIRONMENT = { ...WORKER_ENVIRONMENT, NODE_COMPILE_CACHE: join(cacheFolder(), 'bench-compiled') };

export interface LullOptions extends Omit<ChildOptions, 'profile'> {
  readonly log: Log;
  readonly bootstrap: string;
  /** The input; default: a timeline of its own. */
  readonly topic?: string;
  readonly partitions: number;
  readonly workers: number;
  readonly fetchBytes: number;
  /** Flags of Node, for trying some. */
  readonly nodeFlags?: readonly string[];
  /** Each worker writes its CPU profile here as it stops. */
  readonly profileFolder?: string | undefined;
}

/** Lull as it is measured: topics of its own, processes that are members of one group, a store for each. */
export class LullSide {
  readonly topics: TopicNames;
  readonly groupId: string;
  children: readonly Child[] = [];
  readonly #options: LullOptions;
  readonly #prefix: string;
  readonly #folder: string;

  private constructor(options: LullOptions, prefix: string, folder: string) {
    this.#options = options;
    this.#prefix = prefix;
    this.#folder = folder;
    this.topics = { ...topicNames(prefix), ...(options.topic === undefined ? {} : { timeline: options.topic }) };
    this.groupId = groupIdOf(prefix, 'processor');
  }

  /** Creates topics and folder. `start` and `close` are the caller's. */
  static async open(options: LullOptions): Promise<LullSide> {
    const side = new LullSide(options, `bench-${randomUUID().slice(0, 8)}`, await mkdtemp(join(tmpdir(), 'lull-bench-')));
    const plans = topicPlans(side.#prefix).filter((plan) => side.#own.includes(plan.topic));
    await options.log.admin.createTopics(plans.map((plan) => specOf(plan, options.partitions, 1)));
    return side;
  }

  async start(): Promise<void> {
    const { bootstrap, workers, fetchBytes, nodeFlags = [], live, topology, set } = this.#options;
    this.children = Array.from({ length: workers }, (_, worker) => {
      const json = JSON.stringify({ live, topology, set, profile: this.profiles[worker] } satisfies Record<keyof ChildOptions, unknown>);
      const args = [bootstrap, this.topics.timeline, this.#prefix, this.#stateFolder(worker), String(fetchBytes), json];
      return new Child(
        process.execPath,
        [...WORKER_NODE_FLAGS, ...nodeFlags, join(import.meta.dirname, 'w1-child.ts'), ...args],
        ENVIRONMENT,
      );
    });
    await goTogether(this.children);
  }

  get profiles(): readonly string[] {
    const { profileFolder, workers } = this.#options;
    if (profileFolder === undefined) return [];
    return Array.from({ length: workers }, (_, worker) => join(profileFolder, `${this.#prefix}-${worker}.cpuprofile`));
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map((child) => child.stop()));
  }

  /** As if the machines were new. Only while stopped. */
  async forgetState(): Promise<void> {
    for (const worker of await readdir(this.#folder)) await rm(join(this.#folder, worker), { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#options.log.admin.deleteTopics(this.#own);
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #own(): string[] {
    const { timeline, state, dispatch, decisions, deadLetters } = this.topics;
    return [...(this.#options.topic === undefined ? [timeline] : []), state, dispatch, decisions, deadLetters];
  }

  #stateFolder(worker: number): string {
    return join(this.#folder, String(worker));
  }
}
