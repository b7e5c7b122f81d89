import type { Program } from '../core/program.ts';
import type { Upstream } from './upstream.ts';

/** A version: one publication of a topology. Numbers ascend over all topologies; the same text published again has another number. */
export interface Version {
  readonly hash: string;
  readonly number: number;
}

export interface PublishedVersion extends Version {
  /** The topology's. */
  readonly name: string;
  /** By the broker's clock. */
  readonly atMs: number;
}

/** What a topology's text was compiled to. */
export interface LoadedTopology {
  readonly program: Program;
  /** What its ticks wait for; null = product services alone write to the timeline. */
  readonly upstream: Upstream | null;
}

/** The hash is not among what was published, or this Lull cannot compile it. The message says which, and what to do. */
export class TopologyUnusableError extends Error {
  override readonly name = 'TopologyUnusableError';
}

/** The topologies that were published, one for a process: it reads them, and compiles each once. */
export interface Topologies {
  /** undefined where nothing was published. */
  readonly newest: PublishedVersion | undefined;
  /** Why nothing more can be learned of what is published; undefined where all is well. */
  readonly error: Error | undefined;
  /** @throws TopologyUnusableError, also where the log says that nothing of it was ever published; what the log throws */
  load(hash: string): Promise<LoadedTopology>;
  /** Calls back when `newest` or `error` has changed. The returned function ends that. */
  watch(onChange: () => void): () => void;
  /** One line for people. */
  note(level: 'info' | 'warn', message: string): void;
}
