import { hostname } from 'node:os';
import type { Generation, GroupMembership, Log, LogAdmin } from '../log/port.ts';
import type { Store } from '../store/port.ts';
import { ACCEPTABLE_LAG, assignor } from './assign.ts';
import { FatalError } from './errors.ts';
import { Keeper } from './keeper.ts';
import { LocalState } from './local-state.ts';
import { decodeFollowing, encodeMemberState } from './member-state.ts';
import type { EngineObserver } from './observer.ts';
import { Standby } from './standby.ts';
import type { Clock, Stage } from './stage.ts';
import { Task } from './task.ts';
import { Warmups } from './warmups.ts';

/** Asked for in one fetch of one partition. Measured on W1 (`docs/figures.md`): half of it costs 6 % more CPU. */
export const DEFAULT_FETCH_BYTES = 2 * 1024 * 1024;

export interface WorkerOptions {
  readonly stage: Stage;
  readonly log: Log;
  readonly store: Store;
  /** Names the group `<prefix>-<stage>` and the transactional ids `<prefix>-<stage>-<input topic>-<partition>`. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly observer: EngineObserver;
  /** Default 10,000. */
  readonly transactionTimeoutMs?: number;
  /** Default `DEFAULT_FETCH_BYTES`. */
  readonly fetchMaxBytes?: number;
  /** Default 10,000. */
  readonly sessionTimeoutMs?: number;
  /** How long a graceful stop may take per task. Default 10,000. */
  readonly drainMs?: number;
  /** Historical input: every task ends at the log's end as it was when the task began. Default false. */
  readonly bounded?: boolean;
  /** Members per partition that keep its state without owning it, on other hosts where there are some. Default 0. */
  readonly standbys?: number;
  /** Members of one host are lost together. Default the machine's host name. */
  readonly host?: string;
  /** The id in the group of the process that had this store before, if it is known to have ended without leaving: its place is taken over at once. */
  readonly predecessor?: string;
  /** Told of this process's own id for its successor; undefined once it has left. */
  readonly onMemberId?: (memberId: string | undefined) => void;
}

export function groupIdOf(prefix: string, stageName: string): string {
  return `${prefix}-${stageName}`;
}

/**
 * One process's part of a stage: a member of the group, a task for every partition that it owns, and a standby for every one that it follows.
 *
 * A task outlives a new generation if its partition stays here and the generation follows directly on the one before: then nobody else can have owned it
 * in between. In every other case the task closes, and one starts again at fencing. What opens a partition's store waits until what had it open has
 * closed: so where a standby becomes the owner, the task restores only the rest.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #membership: GroupMembership;
  readonly #groupId: string;
  readonly #local: LocalState;
  readonly #warmups: Warmups;
  readonly #ended = Promise.withResolvers<undefined>();
  #partitions = 0;
  #generation: Generation = { generationId: -1, memberId: '', partitions: [], userData: Buffer.alloc(0) };
  readonly #keepers = new Map<number, Keeper>();
  /** The generation since which this process has owned a partition. */
  readonly #since = new Map<number, number>();
  readonly #standbys = new Map<number, Standby>();
  /** What is on its way out. */
  readonly #closing = new Map<Keeper | Standby, Promise<unknown>>();
  #stopForgetting = (): void => undefined;
  #stopping = false;

  constructor(options: WorkerOptions) {
    const { stage, store, clock, log, prefix, sessionTimeoutMs, standbys = 0, predecessor } = options;
    this.#options = options;
    this.#groupId = groupIdOf(prefix, stage.name);
    this.#local = new LocalState(store, stage.stateVersion, clock);
    this.#membership = log.membership({
      groupId: this.#groupId,
      topic: stage.inputTopic,
      assign: assignor({ standbys, releaseFirst: stage.drains ?? false }),
      userData: () => this.#state(),
      ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
      ...(predecessor === undefined ? {} : { memberId: predecessor }),
    });
    this.#warmups = new Warmups(clock, () => this.#membership.rejoin());
  }

  /**
   * Joins and works until `signal` (graceful: batches and calls in flight are committed), until bounded input is read, or until a fatal
   * error, with which it rejects: `StoreCorruptError` where the store has to be made anew. Everything is closed when it settles.
   */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#ended.resolve(undefined);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      // A cluster out of reach may hold the beginning for long: a stop does not wait for it. Leaving the group ends what is left of it. The race is also
      // what hears of an error that comes when `run` has another end already: without it, Node would end the process.
      await Promise.race([this.#begin(), this.#ended.promise]);
      await this.#ended.promise;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#stopping = true;
      this.#stopForgetting();
      this.#warmups.end();
      this.#close([...this.#keepers.values(), ...this.#standbys.values()]);
      await Promise.all(this.#closing.values());
      await this.#membership.leave();
      this.#options.onMemberId?.(undefined);
    }
  }

  async #begin(): Promise<void> {
    const { log, stage, observer } = this.#options;
    this.#partitions = await partitionsOf(log.admin, stage);
    await this.#local.load();
    // Nobody would leave a group that is joined from here on.
    if (this.#stopping) return;
    await this.#membership.join({
      onGeneration: (generation) => this.#onGeneration(generation),
      onFatal: (error) => this.#ended.reject(error),
    });
    this.#stopForgetting = this.#local.forgetRegularly(() => this.#inUse(), observer, stage.name);
  }

  #onGeneration(generation: Generation): void {
    if (this.#stopping) return;
    const { observer, stage, bounded, onMemberId } = this.#options;
    const { generationId, memberId, partitions, userData } = generation;
    const isNext = memberId === this.#generation.memberId && generationId === this.#generation.generationId + 1;
    if (memberId !== this.#generation.memberId) onMemberId?.(memberId);
    this.#generation = generation;
    const { standbys, warmups } = decodeFollowing(userData);
    const following = new Set([...standbys, ...warmups]);
    const list = (name: string, all: readonly number[]): string => (all.length === 0 ? '' : `, ${name} ${all.join(', ')}`);
    observer.note(
      'info',
      `${stage.name}: generation ${generationId}, partitions ${partitions.join(', ') || 'none'}${list('standbys', standbys)}${list('warm-ups', warmups)}`,
    );
    observer.assigned(partitions);
    const leaving = [...this.#keepers.values()].filter(({ partition }) => !partitions.includes(partition));
    this.#close(isNext ? leaving : [...this.#keepers.values()]);
    if (stage.drains === true && leaving.length > 0) this.#rejoinOnceClosed(leaving);
    this.#close([...this.#standbys.values()].filter(({ partition }) => !following.has(partition)));
    for (const partition of partitions) {
      if (this.#keepers.has(partition)) continue;
      this.#keepers.set(partition, this.#keep(partition));
      this.#since.set(partition, generationId);
    }
    for (const partition of following) if (!this.#standbys.has(partition)) this.#standbys.set(partition, this.#follow(partition));
    this.#warmups.begin(warmups);
    if (bounded === true) this.#endWhenAllFinished(generation);
  }

  /** Until then, what moves away from here is given to nobody. */
  #rejoinOnceClosed(leaving: readonly Keeper[]): void {
    void Promise.all(leaving.map((keeper) => this.#closing.get(keeper) ?? keeper.done)).then(() => {
      if (!this.#stopping) this.#membership.rejoin();
    });
  }

  #endWhenAllFinished(generation: Generation): void {
    void Promise.all([...this.#keepers.values()].map(({ done }) => done)).then((finished) => {
      if (this.#generation === generation && finished.every(Boolean)) this.#ended.resolve(undefined);
    });
  }

  #close(ending: readonly (Keeper | Standby)[]): void {
    for (const one of ending) {
      const { partition } = one;
      this.#closing.set(
        one,
        one.stop().then(() => this.#closing.delete(one)),
      );
      if (this.#keepers.get(partition) === one) this.#keepers.delete(partition);
      if (this.#standbys.get(partition) === one) this.#standbys.delete(partition);
    }
  }

  #keep(partition: number): Keeper {
    const { stage, clock, observer, drainMs = 10_000 } = this.#options;
    const last = [...this.#closing].filter(([one]) => one instanceof Keeper && one.partition === partition);
    return new Keeper(
      {
        ...{ stageName: stage.name, partition, groupId: this.#groupId, clock, observer, drainMs },
        createTask: () => this.#createTask(partition),
        isMember: () => this.#membership.current() !== undefined,
        onFatal: (error) => this.#ended.reject(error),
      },
      Promise.all(last.map(([, closed]) => closed)),
    );
  }

  #follow(partition: number): Standby {
    const { stage, log, store, clock, observer } = this.#options;
    return new Standby({
      ...{ stage, partition, partitions: this.#partitions, log, store, clock, observer },
      onStored: (changelogOffset) => this.#local.stored(partition, changelogOffset),
      onLag: (lag) => {
        if (lag <= ACCEPTABLE_LAG) this.#warmups.caughtUp(partition);
      },
      onDamaged: (error) => this.#ended.reject(error),
    });
  }

  #createTask(partition: number): Task {
    const { stage, log, store, prefix, clock, observer, transactionTimeoutMs, fetchMaxBytes, bounded } = this.#options;
    return new Task({
      ...{ stage, partition, partitions: this.#partitions, log, store, clock, observer, groupId: this.#groupId },
      transactionalId: `${prefix}-${stage.name}-${stage.inputTopic}-${partition}`,
      transactionTimeoutMs: transactionTimeoutMs ?? 10_000,
      fetchMaxBytes: fetchMaxBytes ?? DEFAULT_FETCH_BYTES,
      generationId: () => this.#generation.generationId,
      bounded: bounded ?? false,
      onStored: (changelogOffset) => this.#local.stored(partition, changelogOffset),
    });
  }

  #state(): Buffer {
    const { host = hostname(), stage } = this.#options;
    const { generationId, partitions } = this.#generation;
    const closing = [...this.#closing.keys()].flatMap((one) => (one instanceof Keeper ? [one.partition] : []));
    // What is still being closed is not free for others, where they would wait for it.
    const all = stage.drains === true ? [...new Set([...partitions, ...closing])] : partitions;
    const owned = new Map(all.map((partition) => [partition, this.#since.get(partition) ?? generationId]));
    return encodeMemberState({ generationId, owned, following: [...this.#standbys.keys()], offsets: this.#local.offsets, host });
  }

  #inUse(): ReadonlySet<number> {
    const closing = [...this.#closing.keys()].map(({ partition }) => partition);
    return new Set([...this.#keepers.keys(), ...this.#standbys.keys(), ...closing]);
  }
}

/** How many partitions the input has, and the changelog. @throws FatalError where one of them is missing, or has another number */
async function partitionsOf(admin: LogAdmin, { inputTopic, changelogTopic, inputMayGrow }: Stage): Promise<number> {
  const [input, changelog] = await Promise.all([admin.partitions(inputTopic), admin.partitions(changelogTopic)]);
  if (input === undefined) throw new FatalError(`topic ${inputTopic} does not exist; run "lull topics create"`);
  if (changelog === undefined) throw new FatalError(`topic ${changelogTopic} does not exist; run "lull topics create"`);
  if (input === changelog) return input;
  if (inputMayGrow === true && input > changelog)
    throw new FatalError(
      `${inputTopic} has been given more partitions (${input}) than ${changelogTopic} has (${changelog}): give it as many ` +
        `(kafka-topics.sh --alter --topic ${changelogTopic} --partitions ${input}), then start again`,
    );
  throw new FatalError(
    `${inputTopic} has ${input} partitions and ${changelogTopic} ${changelog}: they must be the same; "lull topics check" says more`,
  );
}
