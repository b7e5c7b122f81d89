import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import type { Decision, Revocation, SendCommand } from '../../src/core/output.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import { compare, gotFrom } from '../../src/testing/compare.ts';
import type { Got } from '../../src/testing/compare.ts';
import { loadScenarios } from '../../src/testing/load.ts';
import { formatResult } from '../../src/testing/report.ts';
import { runScenario } from '../../src/testing/run.ts';
import type { Scenario } from '../../src/testing/scenario.ts';
import { Simulation } from '../../src/testing/simulation.ts';
import { compileTopology, type CompiledTopology } from '../../src/topology/compile.ts';
import { formatIssue } from '../../src/topology/issue.ts';
import { Deployment } from '../faults/deployment.ts';
import { processHistory, record } from './historical.ts';
import { ofOwnUser, recordingOf } from './recording.ts';

const TOPOLOGIES = path.join(import.meta.dirname, '../../topologies');
const EXAMPLES = readdirSync(TOPOLOGIES).filter((name) => existsSync(path.join(TOPOLOGIES, name, 'tests')));

interface Made {
  readonly decisions: readonly Decision[];
  readonly commands: readonly SendCommand[];
  readonly revocations: readonly Revocation[];
}

/** One user's part of it. The driver's partition has a name and a number of its own. */
function madeOf({ decisions, commands, revocations }: Made, userId: string): Made {
  const own = <T extends { readonly userId: string }>(all: readonly T[]): readonly T[] => all.filter((made) => made.userId === userId);
  const placed = <T extends Decision | SendCommand>(all: readonly T[]): readonly T[] =>
    own(all).map((made) => ({ ...made, trigger: { ...made.trigger, topic: 'input', partition: 0 } }));
  return { decisions: placed(decisions), commands: placed(commands), revocations: own(revocations) };
}

/** What is on the real topics, each user's in its order. */
async function madeBy(lull: Deployment): Promise<Made> {
  const records = [...(await lull.records(lull.topics.decisions)), ...(await lull.records(lull.topics.dispatch))];
  await lull.codec.prepare(records.map(({ value }) => value));
  const [decisions, commands, revocations] = [[] as Decision[], [] as SendCommand[], [] as Revocation[]];
  for (const record of records) {
    const decoded = lull.codec.decode(record.value!);
    if (decoded.record === 'lull.v1.Decision') decisions.push(decoded.value);
    else if (decoded.record === 'lull.v1.SendCommand') commands.push(decoded.value);
    else if (decoded.record === 'lull.v1.Revocation') revocations.push(decoded.value);
  }
  return { decisions, commands, revocations };
}

const gotBy = (made: Made): readonly Got[] => gotFrom({ ...made, lateSuppressions: 0, duplicates: 0 });

async function deployment({ onTestFinished }: TestContext, options: ConstructorParameters<typeof Deployment>[0] = {}): Promise<Deployment> {
  const created = new Deployment(options);
  onTestFinished(() => created.close());
  return created.create();
}

function compile(folder: string, app: string, set: Record<string, string> = {}): CompiledTopology {
  const compiled = compileTopology(folder, { app, set });
  if (!compiled.ok) throw new Error(compiled.errors.map(formatIssue).join('\n'));
  return compiled;
}

function scenariosOf(folder: string, topology: CompiledTopology): readonly Scenario[] {
  const { scenarios, issues } = loadScenarios(folder, topology);
  expect(issues.map(formatIssue)).toEqual([]);
  return scenarios.map((scenario, i) => ofOwnUser(scenario, i, topology.program));
}

describe.concurrent('scenarios as historical input of the real processor', () => {
  test.for(EXAMPLES)('%s: the decisions are those of the driver', { timeout: 120_000 }, async (name, context) => {
    const lull = await deployment(context);
    const topology = compile(path.join(TOPOLOGIES, name), lull.prefix);
    const { program } = topology;
    const all = scenariosOf(path.join(TOPOLOGIES, name), topology);
    const recordings = all.map((scenario) => recordingOf(scenario, program));
    const taken = recordings.filter((recording) => typeof recording !== 'string');
    const left = recordings.flatMap((why, i) => (typeof why === 'string' ? [`\n  left out: ${all[i]!.name} (${why})`] : []));
    console.log(`${name}: ${taken.length} of ${all.length} scenarios run as historical input${left.join('')}`);
    expect(taken.length).toBeGreaterThan(all.length / 2);

    const topic = `${lull.prefix}.recording`;
    context.onTestFinished(async () => lull.log.admin.deleteTopics([topic]));
    const recorded = taken.flatMap(({ events }) => events).sort((a, b) => a.atMs - b.atMs);
    const untilMs = Math.max(...taken.map(({ endMs }) => endMs));
    await record(lull, topic, recorded);
    await processHistory(lull, { topic, program, allowedLatenessMs: 0, untilMs });

    expect(await lull.records(lull.topics.deadLetters)).toEqual([]);
    // One driver for each partition: what decisions say of offsets is the same, too.
    const drivers = new Map<number, Simulation>();
    const driverOf = (userId: string): Simulation => {
      const partition = partitionFor(Buffer.from(userId), lull.partitions);
      const driver = drivers.get(partition) ?? new Simulation(program, 0, { allowedLatenessMs: 0 });
      drivers.set(partition, driver);
      return driver;
    };
    for (const { event, atMs } of recorded) driverOf(event.userId).append(event, atMs);
    for (const driver of drivers.values()) driver.passTo(untilMs);
    const made = await madeBy(lull);
    for (const { scenario } of taken) {
      const { userId } = scenario;
      expect(madeOf(made, userId), scenario.name).toEqual(madeOf(driverOf(userId).output, userId));
    }
    // And what the scenario says itself, so that driver and processor are not wrong together.
    const results = taken.map(({ scenario }) => {
      const got = gotBy(madeOf(made, scenario.userId));
      const differences = compare(
        scenario,
        got.filter(({ atMs }) => atMs <= (scenario.untilMs ?? untilMs)),
      );
      return { scenario, differences };
    });
    expect(results.filter(({ differences }) => differences.length > 0).map(formatResult)).toEqual([]);
  });
});

/** Seconds instead of hours. What comes of two waits is a second apart, so that its order is sure. */
const SHORT = { cartWait: '6s', checkoutWait: '5s', sessionGap: '4s', browseDelay: '2s' };

describe.concurrent('scenarios live on the real processor', () => {
  test('the decisions are those of the driver, and none comes too early', { timeout: 120_000 }, async (context) => {
    const params = Object.entries(SHORT).map(([param, value]) => `${param}=${value}`);
    const lull = await deployment(context, { params });
    const topology = compile(path.join(TOPOLOGIES, 'shop'), lull.prefix, SHORT);
    const scenarios = scenariosOf(path.join(import.meta.dirname, 'live'), topology);
    expect(scenarios).toHaveLength(3);
    const driven = scenarios.map((scenario) => runScenario(scenario, topology.program));
    expect(driven.filter(({ passed }) => !passed).map(formatResult)).toEqual([]);

    lull.start(await lull.stateFolder());
    const results = await Promise.all(scenarios.map((scenario) => live(lull, scenario)));
    expect(results).toEqual(driven.map(({ got }) => timeless(got)));
  });
});

const timeless = (got: readonly Got[]): object[] => got.map(({ kind, fields }) => ({ kind, fields }));

/** Plays a scenario by the wall clock; what comes of it, in order. */
async function live(lull: Deployment, scenario: Scenario): Promise<object[]> {
  const startedMs = Date.now();
  const moments = Map.groupBy(
    scenario.steps.filter((step) => step.kind === 'append'),
    ({ atMs }) => atMs,
  );
  const gotBefore = async (endMs: number): Promise<readonly Got[]> => {
    const expected = scenario.expected.filter(({ atMs }) => atMs < endMs).length;
    for (;;) {
      const got = gotBy(madeOf(await madeBy(lull), scenario.userId));
      if (got.length >= expected) return got;
      await sleep(250);
    }
  };
  for (const [atMs, steps] of moments) {
    await gotBefore(atMs);
    await lull.say(
      ...steps.map(({ event: { userId, type, eventId, properties } }) => ({ userId, type, eventId, properties, occurredAt: Date.now() })),
    );
  }
  const got = await gotBefore(Infinity);
  scenario.expected.forEach(({ atMs, kind, fields }) => {
    const came = got.find((one) => one.kind === kind && one.fields['journey'] === fields['journey']);
    expect(came?.atMs, `${scenario.name}: ${kind}`).toBeGreaterThanOrEqual(startedMs + atMs - scenario.startMs);
  });
  return timeless(got);
}
