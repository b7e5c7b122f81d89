import { type Address, BrokerConnection, type WireOptions } from './wire.ts';

/** The connections of one owner (a reader, a writer, ...): one per broker, so that a slow request of one never holds back another. */
export class Connections {
  readonly #options: WireOptions;
  readonly #open = new Map<string, BrokerConnection>();
  readonly #closed = new AbortController();

  constructor(options: WireOptions) {
    this.#options = options;
  }

  /** Fires when the owner closes: what waits for another attempt gives up. */
  get signal(): AbortSignal {
    return this.#closed.signal;
  }

  to(address: Address): BrokerConnection {
    const name = `${address.host}:${address.port}`;
    let connection = this.#open.get(name);
    if (connection === undefined) {
      connection = new BrokerConnection(address, this.#options);
      // A request that races with `close` gets a connection that refuses, not one that nobody closes.
      if (this.signal.aborted) void connection.close();
      else this.#open.set(name, connection);
    }
    return connection;
  }

  /** After an answer that did not come: what is still on its way there must not be mistaken for a later answer. */
  async drop(connection: BrokerConnection): Promise<void> {
    if (this.#open.get(connection.name) === connection) this.#open.delete(connection.name);
    await connection.close();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map((connection) => connection.close()));
  }
}
