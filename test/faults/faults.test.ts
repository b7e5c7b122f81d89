import { randomInt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bootstrap, registryUrl } from '../setup/env.ts';
import { loadRows } from './rows.ts';
import { reasonToSkip, runRow } from './run-row.ts';

const rows = (await loadRows()).filter((row) => row.quick);
const seed = process.env['LULL_FAULT_SEED'] ?? String(randomInt(1_000_000));

// Each row has processes, folders and topics of its own, and mostly waits: they run side by side.
describe.concurrent(`faults, seed ${seed}`, () => {
  test.for(rows.map((row) => [row.id, row.name, row] as const))(
    'row %i, %s: the promise holds',
    { timeout: 300_000 },
    async ([, , row], { skip, signal, onTestFinished }) => {
      const why = reasonToSkip(row);
      if (why !== undefined) skip(why);
      const lines: string[] = [];
      const running = runRow(row, {
        ...{ seed, full: false, bootstrap: bootstrap(), registryUrl: registryUrl(), signal },
        note: (line) => lines.push(line),
      });
      // Out of time, it is given up, and still ends what it started.
      onTestFinished(async () => {
        await running;
      });
      const outcome = await running;
      const what = outcome.kind === 'red' ? `seed ${seed}: ${outcome.error.message}\n${lines.join('\n')}` : outcome.kind;
      expect(what).toBe(row.mutant === undefined ? 'green' : 'red_as_it_must');
    },
  );
});
