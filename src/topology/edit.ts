import type { JourneyFile } from './files.ts';
import type { Issue } from './issue.ts';
import type { Loaded, LoadedTopology } from './load.ts';
import { applyParams } from './params.ts';
import { shapeIssues } from './shape.ts';
import type { Source } from './source.ts';

/** What changes about a topology: journeys that take the place of those of the same name, or come in addition, and journeys that go. */
export interface Edit {
  readonly journeys: readonly Source[];
  readonly remove: readonly string[];
}

/** The topology behind the edit; what is wrong with the files themselves is added to `issues`. */
export function editLoaded(loaded: LoadedTopology, { journeys, remove }: Edit, issues: Issue[]): LoadedTopology {
  const edited = journeys.flatMap((source): Loaded<JourneyFile>[] => {
    const found = applyParams(source, loaded.params);
    const value: unknown = source.toJS() ?? {};
    if (found.length === 0) found.push(...shapeIssues('journey', source, value));
    issues.push(...found);
    return found.length === 0 ? [{ source, value: value as JourneyFile }] : [];
  });
  const gone = new Set([...remove, ...edited.map(({ value }) => value.name)]);
  return { ...loaded, journeys: [...loaded.journeys.filter(({ value }) => !gone.has(value.name)), ...edited] };
}
