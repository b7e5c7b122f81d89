import type { TopologyInForce } from '../avro/records.ts';
import { newDates } from '../core/attributes.ts';
import { stillNeeded, withEarlier } from '../core/pinned.ts';
import type { Program } from '../core/program.ts';
import { FatalError, toError } from '../engine/errors.ts';
import { mutant } from '../log/mutant.ts';
import type { TopicPartition } from '../log/port.ts';
import { TopologyUnusableError, type LoadedTopology, type PublishedVersion, type Topologies } from './topologies.ts';
import type { Upstream } from './upstream.ts';
import { decodeVersions, encodeVersions, type ReplacedVersion, type Sweep, type Versions } from './versions.ts';

/** The topology that one partition goes by. */
export interface InForce {
  readonly program: Program;
  /** What ticks wait for. */
  readonly upstream: Upstream | null;
  /** For the position row; undefined where there is nothing to say. */
  readonly text: string | undefined;
  /** A published version that the timeline has no record of yet; null = none. */
  readonly wanted: PublishedVersion | null;
  /** Why nothing more can be learned of versions. */
  readonly error: Error | undefined;
  /** Whether this Lull can go by it: who cannot leaves it to others to put it in force. Then it is wanted no more, and that is said. */
  canGoBy(version: PublishedVersion): Promise<boolean>;
  /** What the position row says. Before anything else is asked. */
  start(text: string | undefined): Promise<void>;
  /** A record of the timeline, at the time of the partition. Whether another program is in force now. @throws FatalError */
  activate(offset: number, topology: TopologyInForce, nowMs: number): Promise<boolean>;
  /** What is left of going through all users, since a topology came into force that has new dates; undefined = nothing. */
  readonly sweep: Sweep | undefined;
  /** It has come up to this user; null = to the end. */
  swept(after: string | null): void;
  /** What is in force now was committed. */
  committed(): void;
  /** Back to what was committed last. */
  rollback(): void;
  watch(onChange: () => void): () => void;
}

/** One program, whatever the log says: historical input, the bench, the demo. */
export function fixedTopology(program: Program, upstream: Upstream | null): InForce {
  return {
    ...{ program, upstream, text: undefined, wanted: null, error: undefined, sweep: undefined },
    canGoBy: () => Promise.resolve(false),
    start: () => Promise.resolve(),
    activate: () => Promise.resolve(false),
    swept: () => undefined,
    committed: () => undefined,
    rollback: () => undefined,
    watch: () => () => undefined,
  };
}

/** Programs with a number, and with those that came before: made once, for all partitions of a process. */
export class Composer {
  readonly #adapt: (program: Program) => Program;
  readonly #made = new Map<string, Program>();

  /** @param adapt for tests of the tests */
  constructor(adapt: (program: Program) => Program) {
    this.#adapt = adapt;
  }

  numbered({ program }: LoadedTopology, version: number): Program {
    return this.#once(`${program.hash}:${version}`, () => ({ ...this.#adapt(program), version }));
  }

  withEarlier(program: Program, earlier: readonly Program[]): Program {
    const name = [program, ...earlier].map(({ hash, version }) => `${hash}:${version}`).join(' ');
    return earlier.length === 0 ? program : this.#once(name, () => withEarlier(program, earlier));
  }

  #once(name: string, make: () => Program): Program {
    const made = this.#made.get(name) ?? make();
    this.#made.set(name, made);
    return made;
  }
}

interface Resolved {
  readonly versions: Versions;
  /** As published, with its number. */
  readonly own: Program;
  readonly earlier: readonly (ReplacedVersion & { readonly program: Program })[];
  /** Of all of them. */
  readonly program: Program;
  readonly upstream: Upstream | null;
}

/**
 * The version in force of one partition: what its last record of one says. A number that is not greater than that of one before changes nothing, so that two that race, an owner that was fenced, and a
 * record that is there twice, all leave every partition with the same version.
 */
export class PublishedInForce implements InForce {
  readonly #topologies: Topologies;
  readonly #composer: Composer;
  readonly #source: TopicPartition;
  #now: Resolved | undefined;
  /** The number of the newest version that cannot be compiled here. */
  #refused = 0;
  #committed: Resolved | undefined;

  constructor(topologies: Topologies, composer: Composer, source: TopicPartition) {
    this.#topologies = topologies;
    this.#composer = composer;
    this.#source = source;
  }

  get program(): Program {
    return this.#started.program;
  }

  get upstream(): Upstream | null {
    return mutant('tick-not-held') ? null : this.#started.upstream;
  }

  get text(): string {
    return encodeVersions(this.#started.versions);
  }

  get wanted(): PublishedVersion | null {
    const { newest } = this.#topologies;
    if (newest === undefined || newest.number === this.#refused || this.#now === undefined) return null;
    const { number, isInLog } = this.#now.versions;
    return newest.number > number || (newest.number === number && !isInLog) ? newest : null;
  }

  get error(): Error | undefined {
    return this.#topologies.error;
  }

  async canGoBy({ hash, number, name }: PublishedVersion): Promise<boolean> {
    try {
      await this.#topologies.load(hash);
      return true;
    } catch (error) {
      if (!(error instanceof TopologyUnusableError)) throw error;
      this.#refused = number;
      this.#topologies.note(
        'warn',
        `${this.#name} stays with the version in force, and leaves version ${number} of ${name} to a newer Lull: ${error.message}`,
      );
      return false;
    }
  }

  async start(text: string | undefined): Promise<void> {
    this.#now = this.#committed = await this.#resolve(text === undefined ? this.#first() : this.#decode(text));
  }

  async activate(offset: number, { hash, number, name }: TopologyInForce, nowMs: number): Promise<boolean> {
    const before = this.#started;
    const { versions, own } = before;
    // The first record counts in any case: who reads the log from its beginning goes by what was in force then.
    if (versions.isInLog && number <= versions.number) return false;
    if (hash === versions.hash) {
      this.#now = { ...before, versions: { ...versions, number, isInLog: true } };
      return false;
    }
    const loaded = await this.#load(hash, `${this.#name}-${offset}`);
    const replaced = { hash: versions.hash, since: versions.since, replacedAtMs: nowMs, program: own };
    const earlier = stillNeeded([...before.earlier, replaced], nowMs);
    const dates = newDates(own, loaded.program);
    const sweep = dates.length === 0 ? {} : { sweep: { dates, offset, after: null } };
    this.#now = this.#made({ hash, number, since: number, isInLog: true, ...sweep }, loaded, earlier);
    this.#topologies.note('info', `${this.#name}-${offset}: topology ${name} ${hash} is in force, version ${number}`);
    return true;
  }

  get sweep(): Sweep | undefined {
    return this.#started.versions.sweep;
  }

  swept(after: string | null): void {
    const before = this.#started;
    const { sweep, ...versions } = before.versions;
    if (sweep === undefined) throw new Error(`${this.#name}: nobody asked for a sweep`);
    this.#now = { ...before, versions: after === null ? versions : { ...versions, sweep: { ...sweep, after } } };
    if (after === null)
      this.#topologies.note(
        'info',
        `${this.#name}: dates that users had before count for ${sweep.dates.map(({ journey }) => journey).join(', ')}`,
      );
  }

  committed(): void {
    this.#committed = this.#now;
  }

  rollback(): void {
    this.#now = this.#committed;
  }

  watch(onChange: () => void): () => void {
    return this.#topologies.watch(onChange);
  }

  get #started(): Resolved {
    if (this.#now === undefined) throw new Error(`${this.#name}: no topology is in force before the start`);
    return this.#now;
  }

  get #name(): string {
    return `${this.#source.topic}-${this.#source.partition}`;
  }

  /** Of a partition that never had a version: the newest. */
  #first(): Versions {
    const { newest } = this.#topologies;
    if (newest === undefined)
      throw new FatalError(`${this.#name}: no topology was published; publish one with \`lull topology activate FOLDER\``);
    const { hash, number } = newest;
    return { hash, number, since: number, isInLog: false, earlier: [] };
  }

  #decode(text: string): Versions {
    const versions = decodeVersions(text);
    if (versions === undefined)
      throw new FatalError(
        `${this.#name}: the position row names no topology that this Lull can read; run the Lull that wrote it, or a newer one`,
      );
    return versions;
  }

  async #resolve({ earlier, ...versions }: Versions): Promise<Resolved> {
    const loaded = await this.#load(versions.hash, `${this.#name} (its position row)`);
    const kept: (ReplacedVersion & { readonly program: Program })[] = [];
    for (const one of earlier) {
      try {
        kept.push({ ...one, program: this.#composer.numbered(await this.#topologies.load(one.hash), one.since) });
      } catch (error) {
        if (!(error instanceof TopologyUnusableError)) throw error;
        // No reason to stop: what is in force is whole.
        this.#topologies.note('warn', `${this.#name}: runs that are pinned to an earlier version follow instead: ${error.message}`);
      }
    }
    return this.#made(versions, loaded, kept);
  }

  #made(versions: Omit<Versions, 'earlier'>, loaded: LoadedTopology, earlier: Resolved['earlier']): Resolved {
    const own = this.#composer.numbered(loaded, versions.since);
    const program = this.#composer.withEarlier(
      own,
      earlier.map((one) => one.program),
    );
    const replaced = earlier.map(({ hash, since, replacedAtMs }) => ({ hash, since, replacedAtMs }));
    return { versions: { ...versions, earlier: replaced }, own, earlier, program, upstream: loaded.upstream };
  }

  async #load(hash: string, where: string): Promise<LoadedTopology> {
    try {
      return await this.#topologies.load(hash);
    } catch (error) {
      if (error instanceof TopologyUnusableError) throw new FatalError(`${where}: ${toError(error).message}`, { cause: error });
      throw error;
    }
  }
}
