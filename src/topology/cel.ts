import { Environment, EvaluationError as CelEvaluationError } from '@marcbachmann/cel-js';
import type { ASTNode, ParseResult } from '@marcbachmann/cel-js';
import { EvaluationError } from '../core/condition.ts';
import type { Scope } from '../core/condition.ts';
import type { Catalogue, Properties } from './catalogue.ts';
import { explainError } from './cel-errors.ts';
import { registerFunctions } from './cel-functions.ts';
import { readsOf } from './cel-reads.ts';
import type { Reads } from './cel-reads.ts';
import type { Params } from './params.ts';
import { NO_SESSION, Views } from './views.ts';
import type { View, ViewType } from './views.ts';

/**
 * Where an expression stands decides what it may read:
 * - `event`: the event itself and params: it must mean the same whenever it is looked at (negations, cancellations, sums);
 * - `trigger`: the event in the moment it triggers: also `user` and `session` as they are then;
 * - `started`: the start of a session: `user` and `session` as they are then;
 * - `user`: the user's attributes alone;
 * - `session`: the end of a session: `session` is the one that ended;
 * - `send`: the moment of sending: `trigger` as captured, `user` and `session` as they are now.
 */
export type Place =
  | { readonly kind: 'event'; readonly eventType: string }
  /** `*`: any event, of which no property is known. */
  | { readonly kind: 'any_event' }
  | { readonly kind: 'trigger'; readonly eventType: string }
  | { readonly kind: 'started' }
  | { readonly kind: 'user' }
  | { readonly kind: 'session' }
  | { readonly kind: 'send'; readonly eventType: string | null };

export interface Expression {
  /** CEL's name of the result's type; `dyn` where it is not known before. */
  readonly type: string;
  readonly reads: Reads;
  /** @throws EvaluationError (the core's), naming the place in the file but no value */
  readonly evaluate: (scope: Scope) => unknown;
}

export interface ExpressionError {
  readonly offset: number;
  readonly message: string;
  readonly hint: string | null;
}

interface Variable {
  readonly name: string;
  readonly type: ViewType | null;
  /** What the variable's view looks at. */
  readonly from: (scope: Scope) => unknown;
}

/** Compiles the expressions of one topology. Environments are costly, so there is one per place. */
export class Expressions {
  readonly views: Views;
  readonly #base: Environment;
  readonly #environments = new Map<string, { readonly env: Environment; readonly variables: readonly Variable[] }>();

  constructor(catalogue: Catalogue, profile: Properties | null, params: Params, sums: ReadonlyMap<string, 'int' | 'double'>) {
    this.views = new Views(catalogue, profile, params, sums);
    this.#base = registerFunctions(new Environment({ homogeneousAggregateLiterals: false }));
    for (const type of this.views.all) {
      const fields = Object.fromEntries([...type.fields].map(([name, field]) => [name, field.type]));
      this.#base.registerType(type.name, { ctor: type.constructor, fields });
    }
  }

  /** `at` names the place of the expression in its file, for failures at run time. */
  compile(text: string, place: Place, at: string): Expression | ExpressionError {
    const { env, variables } = this.#environment(place);
    let parsed: ParseResult;
    try {
      parsed = env.parse(text);
    } catch (error) {
      return explainError(error, text, variables, this.views);
    }
    const checked = parsed.check();
    if (!checked.valid) return explainError(checked.error, text, variables, this.views);
    const reads = readsOf(parsed.ast, new Map(variables.map(({ name, type }) => [name, type])), this.views);
    if ('offset' in reads) return reads;
    return { type: checked.type ?? 'dyn', reads, evaluate: evaluator(parsed, bind(variables, reads), at) };
  }

  #environment(place: Place): { readonly env: Environment; readonly variables: readonly Variable[] } {
    const key = JSON.stringify(place);
    const known = this.#environments.get(key);
    if (known !== undefined) return known;
    const env = this.#base.clone();
    const variables = this.#variables(place);
    for (const { name, type } of variables) env.registerVariable(name, type === null ? 'map' : type.name);
    const made = { env, variables };
    this.#environments.set(key, made);
    return made;
  }

  #variables(place: Place): readonly Variable[] {
    const views = this.views;
    const params: Variable = { name: 'params', type: views.params, from: () => views };
    const user: Variable = { name: 'user', type: views.user, from: (scope) => scope.state.profile };
    const history: Variable = { name: 'history', type: views.history, from: (scope) => scope.state.lifetime };
    const session: Variable = { name: 'session', type: views.session, from: (scope) => scope.state.session ?? NO_SESSION };
    switch (place.kind) {
      case 'event':
        return [{ name: 'event', type: views.events.get(place.eventType)!, from: (scope) => scope.event }, params];
      case 'any_event':
        return [params];
      case 'trigger':
        return [{ name: 'event', type: views.events.get(place.eventType)!, from: (scope) => scope.event }, user, session, history, params];
      case 'started':
        return [user, session, history, params];
      case 'user':
        return [user, params];
      case 'session':
        return [{ name: 'session', type: views.session, from: (scope) => scope.trigger?.session ?? NO_SESSION }, user, history, params];
      case 'send': {
        const type = place.eventType === null ? views.anyTrigger : views.triggers.get(place.eventType)!;
        return [{ name: 'trigger', type, from: (scope) => scope.trigger }, user, session, history, params];
      }
    }
  }
}

interface Binding {
  readonly context: Record<string, unknown>;
  readonly point: (scope: Scope) => void;
}

/** The one context object of an expression, and how to point it at a scope: only what the expression reads is touched. */
function bind(variables: readonly Variable[], reads: Reads): Binding {
  const context: Record<string, unknown> = {};
  const views: { readonly view: View; readonly from: Variable['from'] }[] = [];
  const maps: Variable[] = [];
  for (const variable of variables) {
    if (!reads.variables.has(variable.name)) continue;
    if (variable.type === null) {
      maps.push(variable);
      continue;
    }
    const view = variable.type.create();
    context[variable.name] = view.object;
    views.push({ view, from: variable.from });
  }
  const point = (scope: Scope) => {
    for (const { view, from } of views) view.point(from(scope));
    for (const { name, from } of maps) context[name] = from(scope);
  };
  return { context, point };
}

function evaluator(parsed: ParseResult, binding: Binding, at: string): (scope: Scope) => unknown {
  const run = parsed as (context: Record<string, unknown>) => unknown;
  return (scope) => {
    binding.point(scope);
    try {
      return run(binding.context);
    } catch (error) {
      throw evaluationError(error, at);
    }
  };
}

/** The core's error for what a condition can fail by, naming its place; any other error as it is. */
export function evaluationError(error: unknown, at: string): unknown {
  if (error instanceof CelEvaluationError) return new EvaluationError(`${at}: ${failure(error)}`);
  // A time zone that does not exist, an invalid date.
  if (error instanceof RangeError) return new EvaluationError(`${at}: a value is out of its range`);
  return error;
}

/** What failed, without the values: these lines go into decisions. */
function failure(error: CelEvaluationError): string {
  const node: ASTNode | undefined = error.node;
  const text = node === undefined || error.range === undefined ? '' : ` (${node.input.slice(node.start, node.end)})`;
  switch (error.code) {
    case 'no_such_key':
      return `a value is missing${text}`;
    case 'field_type_mismatch':
    case 'no_such_overload':
    case 'no_matching_overload':
      return `a value has another type than expected${text}`;
    default:
      return `${error.code.replaceAll('_', ' ')}${text}`;
  }
}
