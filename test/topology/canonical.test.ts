import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadScenarios } from '../../src/testing/load.ts';
import { runScenario } from '../../src/testing/run.ts';
import { compileCanonical } from '../../src/topology/compile-canonical.ts';
import { hashOf } from '../../src/topology/canonical.ts';
import { compileTopology, type CompiledTopology } from '../../src/topology/compile.ts';
import { formatDuration, parseDuration } from '../../src/topology/duration.ts';
import type { ParamValue } from '../../src/topology/params.ts';

const TOPOLOGIES = path.join(import.meta.dirname, '../../topologies');
const EXAMPLES = readdirSync(TOPOLOGIES).filter((name) => existsSync(path.join(TOPOLOGIES, name, 'topology.yaml')));

function compiled(folder: string, set: Readonly<Record<string, string>> = {}): CompiledTopology | null {
  const result = compileTopology(folder, { app: 'test', set });
  return result.ok ? result : null;
}

/** Values that the param could be given outside. */
function valueOf(preset: ParamValue): fc.Arbitrary<string> {
  if (typeof preset === 'number') return fc.integer({ min: 1, max: 20 }).map(String);
  if (typeof preset === 'boolean') return fc.boolean().map(String);
  const ms = parseDuration(preset);
  if (ms !== undefined) return fc.integer({ min: 1, max: 200 }).map((percent) => formatDuration(Math.ceil((ms * percent) / 100)));
  return fc.constant(preset);
}

describe('the canonical text of a topology', () => {
  it.each(EXAMPLES)('of %s compiles to itself, whatever its params, and decides the same', (name) => {
    const folder = path.join(TOPOLOGIES, name);
    const { params } = compiled(folder)!;
    const sets = fc.record(Object.fromEntries([...params].map(([param, preset]) => [param, valueOf(preset)])), { requiredKeys: [] });
    fc.assert(
      fc.property(sets as fc.Arbitrary<Record<string, string>>, (set) => {
        const ofFolder = compiled(folder, set);
        // What makes no sense together is refused: nobody could publish it.
        fc.pre(ofFolder !== null);
        const ofText = compileCanonical(ofFolder.canonical, { app: 'test' });
        expect(ofText.canonical).toBe(ofFolder.canonical);
        expect(ofText.program.hash).toBe(ofFolder.program.hash);
        expect(ofText.sources.map(({ name: source, topic }) => [source, topic])).toEqual(
          ofFolder.sources.map(({ name: source, topic }) => [source, topic]),
        );
        for (const scenario of loadScenarios(folder, ofFolder).scenarios) {
          const [expected, got] = [ofFolder, ofText].map(({ program }) => runScenario(scenario, program).got);
          expect(got).toEqual(expected);
        }
      }),
      { numRuns: 4 },
    );
  });

  it('that this Lull does not know is refused with its hash, and with what is unknown', () => {
    const text = compiled(path.join(TOPOLOGIES, 'shop'))!.canonical;
    const newer = text.replace('"absence":', '"weather":');
    expect(newer).not.toBe(text);
    expect(() => compileCanonical(newer, { app: 'test' })).toThrow(
      new RegExp(`cannot compile the topology ${hashOf(newer)}: journey cart_abandoned: \`weather\``),
    );
    const nextFormat = text.replace('"format":1', '"format":2');
    expect(() => compileCanonical(nextFormat, { app: 'test' })).toThrow(/another format/);
    expect(() => compileCanonical('{', { app: 'test' })).toThrow(/no JSON/);
  });
});
