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
import { KafkaAdmin } from './admin.ts';
import { KafkaAppender } from './appender.ts';
import { KafkaClient, type KafkaLogOptions } from './client.ts';
import { KafkaMembership } from './membership.ts';
import { KafkaReader } from './reader.ts';
import { KafkaWriter, type KafkaWriterOptions } from './writer.ts';

/**
 * The log on Kafka. Connects when it is first used: a cluster that cannot be reached is `LogUnavailableError` then.
 * @throws FatalLogError for an address that is not one
 */
export function createKafkaLog(options: KafkaLogOptions): Log {
  return new KafkaLog(options);
}

class KafkaLog implements Log {
  readonly admin: LogAdmin;
  readonly #client: KafkaClient;
  readonly #admin: KafkaAdmin;
  readonly #appender: KafkaAppender;
  /** Readers, writers and memberships that are open. */
  readonly #open = new Set<() => Promise<void>>();

  constructor(options: KafkaLogOptions) {
    this.#client = new KafkaClient(options);
    this.admin = this.#admin = new KafkaAdmin(this.#client);
    this.#appender = new KafkaAppender(this.#client);
  }

  reader(options: ReaderOptions): LogReader {
    const reader: LogReader = new KafkaReader(this.#client, options, () => this.#open.delete(close));
    const close = () => reader.close();
    this.#open.add(close);
    return reader;
  }

  transactionalWriter(options: KafkaWriterOptions): TransactionalWriter {
    const writer: TransactionalWriter = new KafkaWriter(this.#client, options, () => this.#open.delete(close));
    const close = () => writer.close();
    this.#open.add(close);
    return writer;
  }

  append(records: readonly OutRecord[]): Promise<readonly AppendedTo[]> {
    return this.#appender.append(records);
  }

  membership(options: MembershipOptions): GroupMembership {
    const membership: GroupMembership = new KafkaMembership(this.#client, options, () => this.#open.delete(close));
    const close = () => membership.leave();
    this.#open.add(close);
    return membership;
  }

  async close(): Promise<void> {
    // Memberships say goodbye over the client: it goes last.
    await Promise.all([...this.#open].map((close) => close()));
    await Promise.all([this.#appender.close(), this.#admin.close()]);
    await this.#client.close();
  }
}
