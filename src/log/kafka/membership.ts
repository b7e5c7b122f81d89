import { setTimeout as sleep } from 'node:timers/promises';
import { eitherSignal, isAbortError, orAbort } from '../abort.ts';
import { FatalLogError, LogUnavailableError } from '../errors.ts';
import type { Generation, GroupMembership, MembershipOptions } from '../port.ts';
import { Backoff } from './backoff.ts';
import type { KafkaClient } from './client.ts';
import { Code, describeCode, isCoordinatorMove } from './codes.ts';
import type { Connections } from './connections.ts';
import { GroupSession } from './group-session.ts';
import { NoAnswerError } from './wire.ts';

const DEFAULT_SESSION_TIMEOUT_MS = 10_000;
const LEAVE_DEADLINE_MS = 2_000;
const RETRY_HEARTBEAT_MS = 300;
const MAX_HEARTBEAT_INTERVAL_MS = 1_000;

interface Handlers {
  readonly onGeneration: (generation: Generation) => void;
  readonly onFatal: (error: Error) => void;
}

/**
 * Membership of a group, by the group protocol itself (join, sync, heartbeat, leave): it can neither fetch nor commit. Health is counted from the moment
 * a heartbeat was *sent*, on a clock that goes on while the process is stopped: so this side never believes in its session for longer than the broker does.
 */
export class KafkaMembership implements GroupMembership {
  readonly #client: KafkaClient;
  readonly #options: MembershipOptions;
  readonly #connections: Connections;
  readonly #session: GroupSession;
  readonly #onClose: () => void;
  #running: Promise<void> | undefined;
  #current: Generation | undefined;
  #healthyUntil = 0;
  #rejoinAsked = false;
  /** Ends the pause between two heartbeats. */
  #nudge = (): void => undefined;

  constructor(client: KafkaClient, options: MembershipOptions, onClose: () => void) {
    this.#client = client;
    this.#options = options;
    // A heartbeat that gets no answer is given up while there is still time for another one.
    this.#connections = client.connections(Math.min(client.requestTimeoutMs, this.#sessionTimeoutMs / 2));
    this.#session = new GroupSession(client, this.#connections, { ...options, sessionTimeoutMs: this.#sessionTimeoutMs });
    this.#onClose = onClose;
  }

  async join(handlers: Handlers): Promise<void> {
    if (this.#running !== undefined) throw new Error(`group ${this.#options.groupId}: this membership has joined already`);
    // A cluster that has never answered is a wrong address, and an error. One that has is out for a while: that is sat out, here as later.
    const first = this.#enter(handlers, this.#client.cluster.answered ? undefined : this.#client.deadlineMs);
    this.#running = first.then(
      () => this.#stay(handlers),
      () => undefined, // `join` itself tells
    );
    await first;
  }

  current(): Generation | undefined {
    return performance.now() < this.#healthyUntil ? this.#current : undefined;
  }

  rejoin(): void {
    this.#rejoinAsked = true;
    this.#nudge();
  }

  async leave(): Promise<void> {
    this.#current = undefined;
    this.#onClose();
    await this.#connections.close();
    await this.#running;
    await this.#sayGoodbye();
  }

  get #sessionTimeoutMs(): number {
    return this.#options.sessionTimeoutMs ?? DEFAULT_SESSION_TIMEOUT_MS;
  }

  get #signal(): AbortSignal {
    return this.#connections.signal;
  }

  /** Joins, and tells of the generation. Without a deadline it tries until `leave`. */
  async #enter(handlers: Handlers, deadlineMs?: number): Promise<void> {
    const backoff = new Backoff({ firstMs: 50, maxMs: 1_000, signal: this.#signal, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
    this.#current = undefined;
    // Before the join: what is asked for from here on may not be in it any more.
    this.#rejoinAsked = false;
    for (;;) {
      const entered = await this.#outage(() => this.#session.enter(), deadlineMs === undefined);
      if (typeof entered !== 'string') {
        this.#healthyUntil = entered.sentAtMs + this.#sessionTimeoutMs;
        this.#current = entered.generation;
        handlers.onGeneration(entered.generation);
        return;
      }
      if (backoff.attempts % 20 === 5)
        this.#client.warn({ groupId: this.#options.groupId, reason: entered }, 'joining the group fails, trying on');
      if (!(await backoff.wait())) throw new LogUnavailableError(`group ${this.#options.groupId} could not be joined: ${entered}`);
    }
  }

  /** Heartbeats until `leave`, joining again where the group asks for it. */
  async #stay(handlers: Handlers): Promise<void> {
    const intervalMs = this.#options.heartbeatIntervalMs ?? Math.min(MAX_HEARTBEAT_INTERVAL_MS, this.#sessionTimeoutMs / 3);
    let answered = true;
    try {
      for (;;) {
        await this.#pause(answered ? intervalMs : Math.min(RETRY_HEARTBEAT_MS, intervalMs));
        if (this.#rejoinAsked) {
          await this.#enter(handlers);
          continue;
        }
        const sentAtMs = performance.now();
        const code = await this.#outage(() => this.#session.heartbeat(), true);
        if (code === Code.none) this.#healthyUntil = sentAtMs + this.#sessionTimeoutMs;
        else if (code === Code.rebalanceInProgress || code === Code.illegalGeneration || code === Code.unknownMemberId)
          await this.#enter(handlers);
        else if (typeof code === 'number' && !isCoordinatorMove(code))
          throw new FatalLogError(`group ${this.#options.groupId}: ${describeCode(code)}`);
        answered = typeof code === 'number' && !isCoordinatorMove(code);
      }
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#current = undefined;
      handlers.onFatal(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #pause(ms: number): Promise<void> {
    const nudged = new AbortController();
    this.#nudge = () => nudged.abort();
    const { signal, release } = eitherSignal(this.#signal, nudged.signal);
    try {
      await sleep(this.#rejoinAsked ? 0 : ms, undefined, { signal });
    } catch (error) {
      if (!nudged.signal.aborted) throw error;
    } finally {
      this.#nudge = () => undefined;
      release();
    }
  }

  /** What the work gives, or why the cluster could not be asked. */
  async #outage<T>(work: () => Promise<T>, sitOut: boolean): Promise<T | string> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof NoAnswerError || (sitOut && error instanceof LogUnavailableError)) return error.message;
      throw error;
    }
  }

  /** So that the others need not wait for the session timeout. Its failure costs them just that wait. */
  async #sayGoodbye(): Promise<void> {
    const connections = this.#client.connections();
    const timer = setTimeout(() => void connections.close(), LEAVE_DEADLINE_MS);
    try {
      await orAbort(this.#session.leave(connections), connections.signal, 'no answer in time');
    } catch (error) {
      if (!(error instanceof NoAnswerError || error instanceof LogUnavailableError || isAbortError(error))) throw error;
      this.#client.warn(
        { groupId: this.#options.groupId, reason: error instanceof Error ? error.message : '' },
        'left the group without an answer',
      );
    } finally {
      clearTimeout(timer);
      await connections.close();
    }
  }
}
