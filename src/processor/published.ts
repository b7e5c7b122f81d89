import type { FetchedBatch, Log, LogReader } from '../log/port.ts';
import { TopologyUnusableError, type LoadedTopology, type PublishedVersion, type Topologies } from './topologies.ts';

/** A poll as long as this costs a broker next to nothing, and a publication ends it at once. */
const POLL_MS = 5_000;
const PARTITION = 0;
/** Under the broker's default for a record, with room for what it adds. */
export const MAX_TOPOLOGY_BYTES = 900 * 1024;

export interface PublishedOptions {
  readonly log: Log;
  /** One partition, compacted by hash. */
  readonly topic: string;
  /** Throws an Error that says what of the text it does not understand. */
  readonly compile: (text: string) => LoadedTopology;
  readonly note: Topologies['note'];
}

interface Entry {
  /** Its latest publication. */
  version: PublishedVersion;
  /** Of the first who asked for it. */
  loaded: Promise<LoadedTopology> | undefined;
}

/**
 * Reads the topic of topologies to its end, and follows it from there: one reader for a process, whatever number of partitions it owns.
 * A version's number is one more than its record's offset, so all processes agree on the order in which versions were published.
 */
export class PublishedTopologies implements Topologies {
  readonly note: Topologies['note'];
  readonly #options: PublishedOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #watchers = new Set<() => void>();
  readonly #closing = new AbortController();
  readonly #reader: LogReader;
  /** Everything before this offset was taken. */
  #taken: number;
  #newest: PublishedVersion | undefined;
  #error: Error | undefined;
  #following: Promise<void> = Promise.resolve();

  private constructor(options: PublishedOptions, reader: LogReader) {
    this.#options = options;
    this.#reader = reader;
    this.#taken = reader.position;
    this.note = options.note;
  }

  /** Resolves once everything that is published now was read. */
  static async open(options: PublishedOptions): Promise<PublishedTopologies> {
    const { log, topic } = options;
    const bounds = (await log.admin.offsets(topic)).get(PARTITION) ?? { start: 0, end: 0 };
    const reader = log.reader({ topic, partition: PARTITION, offset: bounds.start });
    const topologies = new PublishedTopologies(options, reader);
    try {
      while (reader.position < bounds.end) topologies.#take(await reader.fetch());
    } catch (error) {
      await reader.close();
      throw error;
    }
    return topologies;
  }

  /** Goes on reading, until `close`. */
  follow(): this {
    this.#following = this.#follow();
    return this;
  }

  get newest(): PublishedVersion | undefined {
    return this.#newest;
  }

  get error(): Error | undefined {
    return this.#error;
  }

  /** Each topology with its latest publication, in the order of the numbers. */
  get all(): readonly PublishedVersion[] {
    return [...this.#entries.values()].map(({ version }) => version).sort((a, b) => a.number - b.number);
  }

  /** The canonical text; undefined where it was never published. Read anew: nobody needs the texts of all versions at hand. */
  async textOf(hash: string): Promise<string | undefined> {
    for (let version = this.#entries.get(hash)?.version; version !== undefined;) {
      const text = await this.#textAt(version);
      if (text !== undefined) return text;
      // Compacted away, because it was published again.
      await this.#readToEnd();
      const latest = this.#entries.get(hash)?.version;
      version = latest === version ? undefined : latest;
    }
    return undefined;
  }

  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  async load(hash: string): Promise<LoadedTopology> {
    // Whoever names a version has read its publication: it is there, if we only look far enough.
    if (!this.#entries.has(hash)) await this.#readToEnd();
    const entry = this.#entries.get(hash);
    const { topic } = this.#options;
    if (entry === undefined)
      throw new TopologyUnusableError(
        `topology ${hash} is not in ${topic}: publish it again, with \`lull topology activate FOLDER\` of the folder and the params that have this hash`,
      );
    entry.loaded ??= this.#compile(hash);
    // What failed because of the log may go well the next time.
    entry.loaded.catch((error: unknown) => {
      if (!(error instanceof TopologyUnusableError)) entry.loaded = undefined;
    });
    return entry.loaded;
  }

  /**
   * Makes a topology the newest version, by appending it, and resolves once it was read back.
   * @throws TopologyUnusableError where it is too large
   */
  async publish(hash: string, text: string): Promise<PublishedVersion> {
    const { log, topic } = this.#options;
    const value = Buffer.from(text);
    if (value.length > MAX_TOPOLOGY_BYTES)
      throw new TopologyUnusableError(
        `the topology has ${value.length} bytes as one text, at most ${MAX_TOPOLOGY_BYTES} can be published: make it smaller, or run parts of it under prefixes of their own`,
      );
    const [appended] = await log.append([{ topic, partition: PARTITION, key: Buffer.from(hash), value }]);
    if (appended === undefined) throw new Error(`${topic}: the log did not say where the topology went`);
    await this.#readTo(appended.nextOffset);
    return this.#entries.get(hash)!.version;
  }

  /** Resolves once something is published. */
  async first(signal: AbortSignal): Promise<PublishedVersion> {
    while (this.#newest === undefined) await this.#changed(signal);
    return this.#newest;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#reader.close();
    await this.#following;
  }

  async #compile(hash: string): Promise<LoadedTopology> {
    const text = await this.textOf(hash);
    if (text === undefined) throw new Error(`${this.#options.topic}: topology ${hash} was there and is gone`);
    try {
      return this.#options.compile(text);
    } catch (error) {
      throw new TopologyUnusableError(`${messageOf(error)}; run the Lull that published it, or a newer one`, { cause: error });
    }
  }

  async #textAt({ hash, number }: PublishedVersion): Promise<string | undefined> {
    const { log, topic } = this.#options;
    const reader = log.reader({ topic, partition: PARTITION, offset: number - 1 });
    try {
      while (reader.position < number) {
        const { records } = await reader.fetch({ signal: this.#closing.signal });
        for (const { key, value } of records) if (key?.toString() === hash && value !== null) return value.toString();
      }
      return undefined;
    } finally {
      await reader.close();
    }
  }

  async #readToEnd(): Promise<void> {
    const { log, topic } = this.#options;
    await this.#readTo((await log.admin.offsets(topic)).get(PARTITION)?.end ?? 0);
  }

  /** With another reader: the one that follows has its own pace, and may not follow at all. */
  async #readTo(end: number): Promise<void> {
    const { log, topic } = this.#options;
    if (this.#taken >= end) return;
    const reader = log.reader({ topic, partition: PARTITION, offset: this.#taken });
    try {
      while (reader.position < end) this.#take(await reader.fetch({ signal: this.#closing.signal }));
    } finally {
      await reader.close();
    }
  }

  async #follow(): Promise<void> {
    try {
      while (!this.#closing.signal.aborted) this.#take(await this.#reader.fetch({ maxWaitMs: POLL_MS }));
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#error = error instanceof Error ? error : new Error(messageOf(error));
      this.#tell();
    }
  }

  #take({ records, nextOffset }: FetchedBatch): void {
    let hasMoved = false;
    for (const { key, value, offset, timestampMs } of records) {
      // Whatever else somebody has written here is no version.
      if (key === null || value === null) continue;
      const hash = key.toString();
      const number = offset + 1;
      const known = this.#entries.get(hash);
      if (known !== undefined && known.version.number >= number) continue;
      const version = { hash, number, name: nameIn(value.toString()), atMs: timestampMs };
      if (known === undefined) this.#entries.set(hash, { version, loaded: undefined });
      else known.version = version;
      if (number <= (this.#newest?.number ?? 0)) continue;
      this.#newest = version;
      hasMoved = true;
    }
    this.#taken = Math.max(this.#taken, nextOffset);
    if (hasMoved) this.#tell();
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        unwatch();
        signal.removeEventListener('abort', aborted);
        settle();
      };
      const aborted = (): void => end(() => reject(signal.reason as Error));
      const unwatch = this.watch(() => end(this.#error === undefined ? resolve : () => reject(this.#error!)));
      if (signal.aborted) aborted();
      else signal.addEventListener('abort', aborted);
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function nameIn(text: string): string {
  try {
    const { name } = JSON.parse(text) as { readonly name?: unknown };
    return typeof name === 'string' ? name : '';
  } catch {
    return '';
  }
}
