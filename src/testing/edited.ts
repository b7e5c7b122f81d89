import type { Journey } from '../core/journey.ts';
import type { Program } from '../core/program.ts';
import type { CompiledTopology } from '../topology/compile.ts';
import type { Issue } from '../topology/issue.ts';
import { readSource } from '../topology/load.ts';

/** The topology of a scenario, which its timeline may edit: each edit is a version of its own, with the next number. */
export class EditedTopology {
  /** As it is now. */
  topology: CompiledTopology;
  readonly #folder: string;
  readonly #versions: Program[];

  constructor(folder: string, topology: CompiledTopology) {
    this.#folder = folder;
    this.topology = topology;
    this.#versions = [topology.program];
  }

  /** Of all versions so far: one of each name, with the steps that it has in any of them. */
  get journeys(): readonly Journey[] {
    const all = this.#versions.flatMap(({ journeys }) => journeys);
    return [...Map.groupBy(all, ({ name }) => name).values()].map((same) => ({
      ...same.at(-1)!,
      steps: same.flatMap(({ steps }) => steps),
    }));
  }

  has(journey: string): boolean {
    return this.topology.program.journeys.some(({ name }) => name === journey);
  }

  /** @param files inside of the topology's `tests/` */
  edit(files: readonly string[], remove: readonly string[]): { readonly program: Program | null; readonly issues: readonly Issue[] } {
    const issues: Issue[] = [];
    const journeys = files.flatMap((file) => readSource(this.#folder, `tests/${file}`, issues) ?? []);
    if (issues.length > 0) return { program: null, issues };
    const edited = this.topology.edited({ journeys, remove });
    if (!edited.ok) return { program: null, issues: edited.errors };
    this.topology = edited;
    const program = { ...edited.program, version: this.#versions.length };
    this.#versions.push(program);
    return { program, issues: [] };
  }
}
