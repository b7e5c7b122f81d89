import type { MemoryBroker } from '../../src/log/memory/broker.ts';
import type { Generation, GroupMembership, Log } from '../../src/log/port.ts';

type Handlers = Parameters<GroupMembership['join']>[0];

/** The memory log with a group whose generations come when the test says so: what a broker's timing decides, and a test cannot wait for. */
export class ScriptedLog {
  readonly log: Log;
  /** How often the worker asked for a new generation. */
  rejoins = 0;
  readonly left = Promise.withResolvers<undefined>();
  #handlers: Handlers | undefined;
  #current: Generation | undefined;
  #beats = true;

  /** `join` is what joining does, once the handlers are known. */
  constructor(broker: MemoryBroker, join: () => Promise<unknown> = () => Promise.resolve(), changes: Partial<Log> = {}) {
    const membership: GroupMembership = {
      join: async (handlers) => {
        this.#handlers = handlers;
        await join();
      },
      current: () => (this.#beats ? this.#current : undefined),
      rejoin: () => {
        this.rejoins++;
      },
      leave: () => {
        this.left.resolve(undefined);
        return Promise.resolve();
      },
    };
    const log = broker.connect();
    this.log = {
      admin: log.admin,
      reader: (options) => log.reader(options),
      transactionalWriter: (options) => log.transactionalWriter(options),
      append: (records) => log.append(records),
      close: () => log.close(),
      membership: () => membership,
      ...changes,
    };
  }

  generation(generationId: number, partitions: readonly number[], userData: Buffer = Buffer.alloc(0), memberId = 'm'): void {
    this.#current = { generationId, memberId, partitions, userData };
    this.#handlers?.onGeneration(this.#current);
  }

  /** Whether heartbeats succeed. */
  heartbeats(succeed: boolean): void {
    this.#beats = succeed;
  }

  fatal(error: Error): void {
    this.#handlers?.onFatal(error);
  }
}
