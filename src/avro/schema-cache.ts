import { PoisonError } from './errors.ts';
import { frameId } from './frame.ts';
import { References } from './references.ts';
import type { SchemaRegistry } from './registry.ts';

export interface SchemaCacheOptions<T> {
  /** Asked for schemas that were not seen before. */
  readonly registry: SchemaRegistry | undefined;
  /**
   * What is kept of a schema. `referenced` are the schemas that it refers to, each behind what it refers to itself.
   * @throws PoisonError for one that is of no use
   */
  readonly compile: (schema: string, referenced: readonly string[]) => T;
  /** How long an id that the registry does not know, or whose schema is of no use, is poison without asking again. Default 60,000. */
  readonly badIdMs?: number | undefined;
  /** Of that memory. Default `Date.now`. */
  readonly nowMs?: (() => number) | undefined;
}

interface BadId {
  readonly error: PoisonError;
  readonly untilMs: number;
}

/** More than the records of any one fetch. */
const MAX_BAD_IDS = 200_000;
const MAX_REQUESTS = 8;

/** What schemas were compiled to, by their ids in the registry. Taking is synchronous: `prepare` has asked for every schema of a batch before. */
export class SchemaCache<T> {
  readonly #options: SchemaCacheOptions<T>;
  readonly #badIdMs: number;
  readonly #nowMs: () => number;
  readonly #references: References | undefined;
  readonly #known = new Map<number, T>();
  readonly #bad = new Map<number, BadId>();
  /** Fetches under way: several partitions of one process share a cache. */
  readonly #asking = new Map<number, Promise<void>>();

  constructor(options: SchemaCacheOptions<T>) {
    this.#options = options;
    this.#references = options.registry === undefined ? undefined : new References(options.registry);
    this.#badIdMs = options.badIdMs ?? 60_000;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** One that need not be asked for. */
  set(id: number, compiled: T): void {
    this.#known.set(id, compiled);
  }

  /**
   * Fetches the schemas of a batch that were not seen before, each once. Values that are not framed are left to `of`.
   * @throws RegistryUnavailableError (try again), RegistryRefusedError
   */
  async prepare(values: Iterable<Buffer | null>): Promise<void> {
    let unseen: Set<number> | undefined;
    let last: number | undefined;
    for (const value of values) {
      const id = value === null ? undefined : frameId(value);
      // Neighbours nearly always have the same id.
      if (id === undefined || id === last) continue;
      last = id;
      if (!this.#known.has(id) && !this.#isKnownBad(id)) (unseen ??= new Set()).add(id);
    }
    if (unseen === undefined) return;
    // Normally one. A batch of garbage has thousands, which must not all be on the registry at once.
    const ids = unseen.values();
    const ask = async (): Promise<void> => {
      for (const id of ids) await this.#askOnce(id);
    };
    await Promise.all(Array.from({ length: Math.min(unseen.size, MAX_REQUESTS) }, ask));
  }

  /** Of the schema that a framed value was written with. @throws PoisonError; Error when the schema was never prepared */
  of(value: Buffer): T {
    const id = frameId(value);
    if (id === undefined)
      throw new PoisonError('not_avro_frame', `${value.length} bytes that do not begin with a zero byte and a schema id`);
    const compiled = this.#known.get(id);
    if (compiled === undefined) throw this.#bad.get(id)?.error ?? new Error(`schema id ${id} was not prepared before decoding`);
    return compiled;
  }

  #isKnownBad(id: number): boolean {
    const bad = this.#bad.get(id);
    return bad !== undefined && this.#nowMs() < bad.untilMs;
  }

  #askOnce(id: number): Promise<void> {
    let asking = this.#asking.get(id);
    if (asking === undefined) {
      asking = this.#ask(id).finally(() => this.#asking.delete(id));
      this.#asking.set(id, asking);
    }
    return asking;
  }

  async #ask(id: number): Promise<void> {
    const { registry, compile } = this.#options;
    try {
      const schema = await registry?.schemaById(id);
      if (schema === undefined) {
        const where = registry === undefined ? 'one of the fixed ids' : 'in the registry';
        throw new PoisonError('unknown_schema_id', `schema id ${id} is not ${where}`);
      }
      this.#known.set(id, compile(schema.text, (await this.#references?.textsFor(schema)) ?? []));
      this.#bad.delete(id);
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      const named = error.reason === 'unknown_schema_id' ? error : new PoisonError(error.reason, `schema id ${id}: ${error.message}`);
      // Whoever sends garbage sends many ids. The oldest goes: those of the batch in work are the newest.
      const oldest = this.#bad.keys().next();
      if (this.#bad.size >= MAX_BAD_IDS && oldest.done !== true) this.#bad.delete(oldest.value);
      this.#bad.delete(id);
      this.#bad.set(id, { error: named, untilMs: this.#nowMs() + this.#badIdMs });
    }
  }
}
