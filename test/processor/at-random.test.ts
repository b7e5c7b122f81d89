import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Program } from '../../src/core/program.ts';
import { isEmpty } from '../../src/core/step.ts';
import type { Topologies } from '../../src/processor/topologies.ts';
import { Simulation } from '../../src/testing/simulation.ts';
import { explained, timelines, topologies, versionAt } from '../core/at-random.ts';
import { DAY, START } from '../core/support.ts';
import { TaskRig } from './task-rig.ts';

// Topologies that hold messages back, let one a moment through, notice items, and are edited: the processor, the driver of scenarios, and a replay of the log.

/** `FUZZ_RUNS=5000` looks further. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 60);
const USER = 'user';

function publishedOf(versions: readonly Program[]): Topologies {
  const [first] = versions as [Program];
  return {
    newest: { hash: first.hash, number: first.version, name: first.name, atMs: 0 },
    error: undefined,
    load: (hash) => Promise.resolve({ program: versionAt(versions, Number(hash.slice(1)) - 1), upstream: null }),
    watch: () => () => undefined,
    note: () => undefined,
  };
}

/** Sizes of batches; another task takes over behind those that are negative. */
const batches = fc.array(
  fc.integer({ min: -3, max: 9 }).map((size) => (size === 0 ? -1 : size)),
  { minLength: 1, maxLength: 8 },
);

test(
  'the processor, the driver of scenarios and a replay decide the same, however the log is batched, also across edits',
  { timeout: 240_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(topologies(), timelines(), batches, async (versions, timeline, sizes) => {
        const simulation = new Simulation(versions[0]!, START);
        const rig = await TaskRig.open(publishedOf(versions), START);
        let edits = 0;
        for (const entry of timeline) {
          const atMs = START + entry.appendedAt;
          if (entry.kind === 'tick') {
            await rig.passTo(atMs, { inclusive: true });
            simulation.passTo(atMs);
            continue;
          }
          await rig.passTo(atMs, { inclusive: false });
          if (entry.kind === 'edit') {
            const version = versionAt(versions, ++edits);
            await rig.activate(version, atMs);
            simulation.activate(version, atMs);
          } else {
            const { id, at, imported, properties } = entry.parts;
            const event = { eventId: id!, userId: USER, type: entry.type, occurredAtMs: START + at!, sentAtMs: null };
            const whole = { ...event, imported: imported ?? false, properties: properties ?? {} };
            await rig.append(whole, atMs);
            simulation.append(whole, atMs);
          }
          await rig.read();
        }
        const endMs = START + timeline.at(-1)!.appendedAt + 20 * DAY;
        await rig.passTo(endMs, { inclusive: true });
        simulation.passTo(endMs);
        const { commands, decisions, revocations } = simulation.output;
        expect(rig.deadLetters).toEqual([]);
        expect(rig.madeFor(USER)).toEqual({ commands, decisions, revocations });
        const state = simulation.stateOf(USER);
        expect(await rig.stateOf(USER)).toEqual(isEmpty(state) ? undefined : state);

        const replay = await TaskRig.open(publishedOf(versions), START);
        await replay.copy(await rig.log());
        await replay.read(sizes);
        expect(replay.madeFor(USER)).toEqual(rig.madeFor(USER));
        expect(replay.interests).toEqual(rig.interests);
        expect(await replay.rowOf(USER)).toEqual(await rig.rowOf(USER));
      }),
      { numRuns: RUNS, reporter: explained },
    );
  },
);
