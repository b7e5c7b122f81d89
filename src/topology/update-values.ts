import type { Scalar } from '../core/event.ts';
import { EvaluationError } from '../core/condition.ts';
import type { Scope } from '../core/condition.ts';
import type { UpdateStep } from '../core/journey.ts';
import { emptyState } from '../core/step.ts';
import type { Expression } from './cel.ts';
import { personal } from './conditions.ts';
import { isDeclared } from './declared.ts';
import type { UpdateForm } from './files.ts';
import type { Update } from './loops.ts';
import type { Path } from './source.ts';
import type { StepContext } from './step-context.ts';
import { fromCel } from './views.ts';

/** The values that an update sets; and what of it another journey may notice. What is wrong is kept as issues. */
export function compileSet(
  { used, world, expressions }: StepContext,
  form: UpdateForm['set'],
  path: Path,
): { readonly set: UpdateStep['set']; readonly updates: readonly Update[] } {
  const updates: Update[] = [];
  const set = new Map<string, (scope: Scope) => Scalar>();
  const { profile } = world;
  for (const [attribute, text] of Object.entries(form)) {
    const at = [...path, attribute];
    const known = profile?.get(attribute);
    if (!isDeclared(attribute, at, profile, expressions)) continue;
    const expression = expressions.expression(text, { kind: 'send', eventType: used.eventType }, at);
    if (expression === null) continue;
    const allowed: readonly string[] = known === undefined ? ['string', 'int', 'double', 'bool'] : CEL_OF[known.type];
    if (expression.type !== 'dyn' && !allowed.includes(expression.type)) {
      expressions.wrong(at, `\`${attribute}\` is a ${known?.type ?? 'plain value'}, this is a ${personal(expression.type)}`);
      continue;
    }
    const { evaluate } = expression;
    updates.push({ attribute, path: at, constant: constantOf(expression) });
    set.set(attribute, (scope) => {
      const value = fromCel(evaluate(scope));
      if (value === undefined) throw new EvaluationError(`\`${attribute}\` would be no plain value`);
      return value;
    });
  }
  return { set, updates };
}

/** What an expression is that reads nothing of anybody. */
function constantOf({ reads, evaluate }: Expression): Scalar | undefined {
  if ([...reads.variables].some((variable) => variable !== 'params')) return undefined;
  try {
    return fromCel(evaluate({ event: null, trigger: null, state: emptyState(''), nowMs: 0 }));
  } catch (error) {
    if (error instanceof EvaluationError) return undefined;
    throw error;
  }
}

const CEL_OF = {
  string: ['string'],
  long: ['int'],
  double: ['double', 'int'],
  boolean: ['bool'],
  time: ['google.protobuf.Timestamp'],
} as const satisfies Record<string, readonly string[]>;
