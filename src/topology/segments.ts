import { emptyState } from '../core/step.ts';
import { EvaluationError, type Attributes } from '../core/program.ts';
import type { Expressions } from './cel.ts';
import { FileExpressions } from './conditions.ts';
import type { TopologyFile } from './files.ts';
import type { Issue } from './issue.ts';
import type { Loaded } from './load.ts';

/** Segments: named conditions on a user's attributes. Who has attributes for which one cannot be evaluated is outside. */
export function compileSegments(
  { source, value }: Loaded<TopologyFile>,
  expressions: Expressions,
  issues: Issue[],
): ReadonlyMap<string, (attributes: Attributes) => boolean> {
  const file = new FileExpressions(source, expressions);
  const segments = Object.entries(value.segments ?? {}).map(([name, { when }]) => {
    const condition = file.condition(when, { kind: 'user' }, ['segments', name, 'when']) ?? (() => false);
    const inside = (profile: Attributes): boolean => {
      try {
        return condition({ event: null, trigger: null, state: { ...NOBODY, profile }, nowMs: 0 });
      } catch (error) {
        if (error instanceof EvaluationError) return false;
        throw error;
      }
    };
    return [name, inside] as const;
  });
  issues.push(...file.issues);
  return new Map(segments);
}

const NOBODY = emptyState('');
