import { setTimeout as sleep } from 'node:timers/promises';
import { Deployment, type Processor } from './deployment.ts';
import { Load, SHOP_PARAMS, SHOP_SETTLES_MS, type LoadOptions } from './load.ts';
import { judge, type Judgement } from './oracles.ts';
import { untilRecovered } from './recovery.ts';
import { OracleError, type FaultRun } from './row.ts';

export interface ShopOptions {
  /** Default `SHOP_PARAMS`. */
  readonly params?: readonly string[];
  readonly partitions?: number;
  /** Default `topologies/shop`. */
  readonly topology?: string;
  readonly load?: Omit<LoadOptions, 'random'>;
}

/** What most rows need: `topologies/shop` on the row's cluster, people in it, and a verdict at the end. */
export interface Shop {
  readonly deployment: Deployment;
  readonly load: Load;
  /** Waits until everything is read and whoever has left has got what they get, stops these gracefully, and judges (O1, O2). */
  verdict(processors: readonly Processor[]): Promise<Judgement>;
}

/** What processes in rows are given: a member that is gone is missed after three seconds, not after ten. */
export const QUICK_GROUP = { LULL_SESSION_TIMEOUT_MS: '3s' } as const;

export async function openShop(run: FaultRun, options: ShopOptions = {}): Promise<Shop> {
  const { bootstrap, direct, replicationFactor } = run.cluster;
  const deployment = new Deployment({
    ...{ bootstrap, direct, replicationFactor, registryUrl: run.registryUrl, params: options.params ?? SHOP_PARAMS },
    ...(options.topology === undefined ? {} : { topology: options.topology }),
    ...(options.partitions === undefined ? {} : { partitions: options.partitions }),
  });
  run.cleanup(() => deployment.close());
  await deployment.create();
  const load = new Load(deployment, { random: run.random, ...options.load });
  // Before the deployment's log is closed under it.
  run.cleanup(() => load.stop());
  return { deployment, load, verdict: (processors) => verdict(deployment, processors) };
}

async function verdict(deployment: Deployment, processors: readonly Processor[]): Promise<Judgement> {
  await untilRecovered(deployment);
  await sleep(SHOP_SETTLES_MS);
  await untilRecovered(deployment);
  for (const processor of processors) {
    const code = await processor.stop();
    if (code !== 0) throw new Error(`a processor ended with ${code} instead of stopping:\n${lastLines(processor)}`);
  }
  const judgement = await judge(deployment);
  if (judgement.commands === 0) throw new Error('no command was made: there was nothing to get wrong');
  return judgement;
}

/** The lines of its log, as far as they are JSON (a fail-point's is not). */
export function logLines(processor: Processor): readonly Readonly<Record<string, unknown>>[] {
  const lines = processor.stderr().split('\n');
  return lines.filter((line) => line.startsWith('{') && line.endsWith('}')).map((line) => JSON.parse(line) as Record<string, unknown>);
}

const READY_WITHIN_MS = 90_000;

/** Waits until `/readyz` says that it is in its group and every partition it was given runs: what a rolling deploy waits for. */
export async function untilReady(processor: Processor): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const url = logLines(processor).find(({ url }) => typeof url === 'string')?.['url'] as string | undefined;
    if (url !== undefined && processor.ended() === undefined && (await fetch(`${url}/readyz`)).ok) return;
    if (processor.ended() !== undefined || performance.now() > deadline)
      throw new OracleError('O5', `a processor did not get ready (ended: ${processor.ended() ?? 'no'}):\n${lastLines(processor)}`);
    await sleep(100);
  }
}

/** What it said last, for a failure's message. */
export function lastLines(processor: Processor, count = 8): string {
  return processor.stderr().trim().split('\n').slice(-count).join('\n');
}
