import type {
  AppendedTo,
  GroupMembership,
  Log,
  LogAdmin,
  LogReader,
  MembershipOptions,
  OutRecord,
  ReaderOptions,
  TransactionalWriter,
} from '../port.ts';
import { MemoryAdmin } from './admin.ts';
import type { MemoryBroker } from './broker.ts';
import { MemoryMembership } from './membership.ts';
import { MemoryReader } from './reader.ts';
import { MemoryWriter, type MemoryWriterOptions } from './writer.ts';

/** One process's view of a memory broker. */
export class MemoryLog implements Log {
  readonly admin: LogAdmin;
  readonly #broker: MemoryBroker;
  readonly #close: (() => Promise<void>)[] = [];

  constructor(broker: MemoryBroker) {
    this.#broker = broker;
    this.admin = new MemoryAdmin(broker);
  }

  reader(options: ReaderOptions): LogReader {
    const reader = new MemoryReader(this.#broker, options);
    this.#close.push(() => reader.close());
    return reader;
  }

  transactionalWriter(options: MemoryWriterOptions): TransactionalWriter {
    const writer = new MemoryWriter(this.#broker, options);
    this.#close.push(() => writer.close());
    return writer;
  }

  async append(records: readonly OutRecord[]): Promise<readonly AppendedTo[]> {
    const { faults, topics } = this.#broker;
    return faults.run('append', records[0]?.topic ?? '', () => topics.append(records));
  }

  membership(options: MembershipOptions): GroupMembership {
    const membership = new MemoryMembership(this.#broker, options);
    this.#close.push(() => membership.leave());
    return membership;
  }

  async close(): Promise<void> {
    for (const close of this.#close.splice(0)) await close();
  }
}
