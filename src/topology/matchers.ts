import type { EventMatcher } from '../core/condition.ts';
import type { Catalogue } from './catalogue.ts';
import type { FileExpressions } from './conditions.ts';
import type { MatcherForm, MatchersForm } from './files.ts';
import type { Path, Source } from './source.ts';
import { didYouMean } from './suggest.ts';

export interface CompiledMatcher {
  readonly matcher: EventMatcher;
  /** Where it stands. */
  readonly path: Path;
  readonly perUser: boolean;
  /** For decisions: the type, and that there is a condition. */
  readonly label: string;
  /** What it matches, as written: trackers are named after it. */
  readonly definition: readonly [type: string, where: string | null];
}

export interface MatcherOptions {
  /** `trigger`: the condition may also read the user and the session as they are. */
  readonly place: 'event' | 'trigger';
  /** `*` (every activity) is possible here. */
  readonly any: boolean;
}

/** Compiles event matchers, of all the forms that the files allow. */
export class Matchers {
  readonly #source: Source;
  readonly #catalogue: Catalogue;
  readonly #expressions: FileExpressions;

  constructor(source: Source, catalogue: Catalogue, expressions: FileExpressions) {
    this.#source = source;
    this.#catalogue = catalogue;
    this.#expressions = expressions;
  }

  /** null where it is wrong: the issue is kept. */
  one(form: MatcherForm, path: Path, options: MatcherOptions): CompiledMatcher | null {
    const type = typeof form === 'string' ? form : form.event;
    const typePath = typeof form === 'string' ? path : [...path, 'event'];
    const where = typeof form === 'string' ? undefined : form.where;
    const wherePath = [...path, 'where'];
    const perUser = typeof form !== 'string' && form.per === 'user';
    if (type === '*' && options.any) {
      if (where !== undefined) {
        this.#expressions.issues.push(this.#source.issue(wherePath, '`*` takes no condition', 'name the events that it should look at'));
        return null;
      }
      return { matcher: { type, where: null }, path: typePath, perUser, label: 'any activity', definition: [type, null] };
    }
    if (!this.#catalogue.has(type)) {
      this.#expressions.issues.push(this.#source.issue(typePath, ...this.#unknownEvent(type)));
      return null;
    }
    const condition = this.#expressions.condition(where, { kind: options.place, eventType: type }, wherePath);
    const text = where === undefined ? null : String(where ?? '');
    return {
      matcher: { type, where: condition },
      path: typePath,
      perUser,
      label: text === null ? type : `${type} where ${text}`,
      definition: [type, text],
    };
  }

  list(form: MatchersForm | undefined, path: Path, options: MatcherOptions): CompiledMatcher[] {
    if (form === undefined) return [];
    const compiled = Array.isArray(form)
      ? (form as readonly MatcherForm[]).map((item, i) => this.one(item, [...path, i], options))
      : [this.one(form as MatcherForm, path, options)];
    return compiled.filter((matcher) => matcher !== null);
  }

  #unknownEvent(type: string): [message: string, hint: string | null] {
    if (type === '*') return ['`*` is not possible here', 'name an event'];
    if (type.startsWith('$')) return [`\`${type}\` is a reserved event: journeys cannot look at it yet`, null];
    return [
      `there is no event \`${type}\` in events.yaml`,
      didYouMean(type, this.#catalogue.keys(), 'events') ?? 'add it to events.yaml, with its properties',
    ];
  }
}
