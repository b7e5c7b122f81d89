import type { Log } from '../port.ts';
import { type Fault, Faults } from './faults.ts';
import { MemoryGroups } from './groups.ts';
import { MemoryLog } from './log.ts';
import { MemoryTopics } from './topics.ts';
import { MemoryTransactions } from './transactions.ts';

export interface MemoryLogOptions {
  /** The broker's clock, milliseconds: append times and transaction timeouts. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * A broker in this process. Every `connect` is one process's `Log`: two of them share topics, groups and transactional ids, and fence each other.
 * Nothing is persisted, nothing is compacted, there is one replica.
 */
export class MemoryBroker {
  readonly now: () => number;
  readonly topics: MemoryTopics;
  readonly groups = new MemoryGroups();
  readonly transactions: MemoryTransactions;
  readonly faults = new Faults();

  constructor(options: MemoryLogOptions = {}) {
    this.now = options.now ?? Date.now;
    this.topics = new MemoryTopics(this.now);
    this.transactions = new MemoryTransactions(this.topics, this.groups, this.now);
  }

  connect(): Log {
    return new MemoryLog(this);
  }

  /** Makes one coming step fail. For tests. */
  fail(fault: Fault): void {
    this.faults.plan(fault);
  }

  /** What the session timeout does to a member that no longer answers: the others get its partitions, and its `current()` is undefined. For tests. */
  evict(groupId: string, memberId: string): void {
    this.groups.remove(groupId, memberId);
  }
}

export function createMemoryBroker(options?: MemoryLogOptions): MemoryBroker {
  return new MemoryBroker(options);
}

/** The log port on a broker of its own, for one process. */
export function createMemoryLog(options?: MemoryLogOptions): Log {
  return createMemoryBroker(options).connect();
}
