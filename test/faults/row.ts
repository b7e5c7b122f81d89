import type { Random } from '../../src/dev/shop/random.ts';
import type { Cluster } from './cluster.ts';

/**
 * One row of the table of faults: something breaks, and a promise holds. Every file in `rows/` exports `rows: readonly FaultRow[]`; `rows.ts` finds them.
 *
 * A row starts what it needs (a `Deployment` on `run.cluster`), does its fault, and asks the oracles. It returns what it measured, and throws an
 * `OracleError` where a promise is broken; any other error says that the row itself could not be done.
 */
export interface FaultRow {
  /** The number that it has in the table; rows that belong together share one. */
  readonly id: number;
  /** Short, one of a kind: `kill`. */
  readonly name: string;
  readonly fault: string;
  readonly promise: string;
  readonly needs: FaultNeeds;
  /** Also part of `npm test`. */
  readonly quick: boolean;
  /** Set where the product is made wrong on purpose: then this oracle must be red, and the row fails if it is green. */
  readonly mutant?: { readonly name: string; readonly oracle: OracleName };
  run(run: FaultRun): Promise<FaultResult>;
}

export interface FaultNeeds {
  readonly brokers: 1 | 3;
  /** The row bounces, cuts or fills its brokers: it gets a cluster that nobody else uses. Three brokers are always its own. */
  readonly own?: boolean;
  /** A Kafka-aware proxy in front of every broker. Implies `own`. */
  readonly proxy?: boolean;
  /** Skipped, visibly, for everybody else. */
  readonly root?: boolean;
  /** Of the history; skipped, visibly, in a clone that does not have it. */
  readonly commit?: string;
}

export interface FaultRun {
  /** All chance of the row comes from it. */
  readonly seed: string;
  readonly random: Random;
  readonly cluster: Cluster;
  readonly registryUrl: string;
  /** `npm run faults`: the real durations. False in `npm test`: as short as still shows the promise. */
  readonly full: boolean;
  /** A line of progress, for people. */
  note(line: string): void;
  /** Runs at the end, last first, also after a failure. */
  cleanup(work: () => Promise<unknown>): void;
}

export interface FaultResult {
  /** O5: from the end of each fault until everything appended by then was committed. Printed, never asserted. */
  readonly recoveryMs: readonly number[];
  /** What was there to get wrong: events, commands, kills, ... */
  readonly counts: Readonly<Record<string, number>>;
}

export type OracleName = 'O1' | 'O2' | 'O3' | 'O4' | 'O5' | 'O6';

/** A promise is broken. The message says what differs, and where. */
export class OracleError extends Error {
  override readonly name = 'OracleError';
  readonly oracle: OracleName;

  constructor(oracle: OracleName, message: string) {
    super(`${oracle} is red: ${message}`);
    this.oracle = oracle;
  }
}
