import { emptyState } from '../core/step.ts';
import { EvaluationError } from '../core/condition.ts';
import type { Attributes } from '../core/pattern-kinds.ts';
import type { Reads } from './cel-reads.ts';
import type { Expressions } from './cel.ts';
import { FileExpressions } from './conditions.ts';
import type { TopologyFile } from './files.ts';
import type { Issue } from './issue.ts';
import type { Loaded } from './load.ts';

/** A named condition on a user's attributes. */
export interface Segment {
  /** Who has attributes for which it cannot be evaluated is outside. */
  readonly inside: (attributes: Attributes) => boolean;
  /** The attributes that it reads; null = any. */
  readonly reads: ReadonlySet<string> | null;
}

export function compileSegments(
  { source, value }: Loaded<TopologyFile>,
  expressions: Expressions,
  issues: Issue[],
): ReadonlyMap<string, Segment> {
  const file = new FileExpressions(source, expressions);
  const segments = Object.entries(value.segments ?? {}).map(([name, { when }]) => {
    const reads: Reads[] = [];
    const condition = file.condition(when, { kind: 'user' }, ['segments', name, 'when'], reads) ?? (() => false);
    const inside = (profile: Attributes): boolean => {
      try {
        return condition({ event: null, trigger: null, state: { ...NOBODY, profile }, nowMs: 0 });
      } catch (error) {
        if (error instanceof EvaluationError) return false;
        throw error;
      }
    };
    return [name, { inside, reads: reads[0] === undefined ? new Set<string>() : reads[0].user }] as const;
  });
  issues.push(...file.issues);
  return new Map(segments);
}

const NOBODY = emptyState('');
