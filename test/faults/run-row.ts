import { spawnSync } from 'node:child_process';
import { createRandom } from '../../src/dev/shop/random.ts';
import { sharedCluster, startCluster, type Cluster } from './cluster.ts';
import { OracleError, type FaultResult, type FaultRow, type FaultRun } from './row.ts';

export interface RowOptions {
  readonly seed: string;
  readonly full: boolean;
  /** The broker for rows that leave it alone. */
  readonly bootstrap: string;
  readonly registryUrl: string;
  readonly note: (line: string) => void;
  /** Gives the row up: what it started is ended. */
  readonly signal?: AbortSignal;
}

export type RowOutcome =
  | { readonly kind: 'green'; readonly result: FaultResult }
  /** A mutant that its oracle caught. */
  | { readonly kind: 'red_as_it_must'; readonly message: string }
  | { readonly kind: 'red'; readonly error: Error }
  | { readonly kind: 'skipped'; readonly why: string };

/** Why the row cannot be done here, or undefined. */
export function reasonToSkip(row: FaultRow): string | undefined {
  const { root = false, commit } = row.needs;
  if (root && process.getuid?.() !== 0) return 'needs root';
  if (commit !== undefined && spawnSync('git', ['cat-file', '-e', commit], { cwd: import.meta.dirname }).status !== 0)
    return `needs a clone that has commit ${commit}`;
  return undefined;
}

/** Does one row, on the shared broker or a cluster of its own. Everything that it started is gone when it resolves. */
export async function runRow(row: FaultRow, options: RowOptions): Promise<RowOutcome> {
  const why = reasonToSkip(row);
  if (why !== undefined) return { kind: 'skipped', why };
  const work: (() => Promise<unknown>)[] = [];
  const note = (line: string): void => options.note(`${row.id} ${row.name}: ${line}`);
  let outcome: RowOutcome;
  try {
    const cluster = await clusterFor(row, options, (close) => work.push(close));
    const run: FaultRun = {
      ...{ seed: options.seed, full: options.full, registryUrl: options.registryUrl, cluster, note },
      random: createRandom(`${options.seed}/${row.name}`),
      cleanup: (done) => void work.push(done),
    };
    outcome = green(row, await Promise.race([row.run(run), givenUp(options.signal)]));
  } catch (error) {
    outcome = red(row, error instanceof Error ? error : new Error(String(error)));
  }
  for (const done of work.reverse()) {
    await done().catch((error: unknown) => {
      // What cannot be ended is a failure of its own, but must not hide the row's.
      const failure = new Error(`could not clean up: ${String(error)}`);
      if (outcome.kind !== 'red') outcome = { kind: 'red', error: failure };
      else note(failure.message);
    });
  }
  return outcome;
}

function givenUp(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(new Error('given up')));
  });
}

async function clusterFor(row: FaultRow, options: RowOptions, cleanup: (close: () => Promise<unknown>) => void): Promise<Cluster> {
  const { brokers, own = false, proxy = false } = row.needs;
  if (brokers === 1 && !own && !proxy) return sharedCluster(options.bootstrap);
  const cluster = await startCluster({ brokers, proxy, onProgress: options.note });
  cleanup(() => cluster.close());
  return cluster;
}

function green(row: FaultRow, result: FaultResult): RowOutcome {
  if (row.mutant === undefined) return { kind: 'green', result };
  const { name, oracle } = row.mutant;
  return { kind: 'red', error: new Error(`the mutant ${name} got through: ${oracle} is green and must not be`) };
}

function red(row: FaultRow, error: Error): RowOutcome {
  const caught = row.mutant !== undefined && error instanceof OracleError && error.oracle === row.mutant.oracle;
  return caught ? { kind: 'red_as_it_must', message: error.message } : { kind: 'red', error };
}
