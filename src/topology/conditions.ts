import { EvaluationError } from '../core/condition.ts';
import type { Condition } from '../core/condition.ts';
import type { Reads } from './cel-reads.ts';
import type { Expression, Expressions, Place } from './cel.ts';
import type { ConditionForm, Expression as ExpressionForm } from './files.ts';
import type { Issue } from './issue.ts';
import type { Path, Source } from './source.ts';

/** Compiles the expressions of one file, and collects what they read and what is wrong with them. */
export class FileExpressions {
  readonly issues: Issue[] = [];
  /** Properties of the trigger that something reads. */
  readonly capture = new Set<string>();
  captureSession = false;
  readonly #source: Source;
  readonly #expressions: Expressions;

  constructor(source: Source, expressions: Expressions) {
    this.#source = source;
    this.#expressions = expressions;
  }

  /** null where there is no condition. An empty one matches nothing: that is safer than everybody. What it reads is added to `reads`. */
  condition(form: ConditionForm | undefined, place: Place, path: Path, reads: Reads[] = []): Condition | null {
    if (form === undefined) return null;
    const text = form === null ? '' : String(form);
    if (text.trim() === '') {
      this.issues.push(this.#source.issue(path, 'an empty condition matches nothing', 'leave it away to match everything', 'warning'));
      return () => false;
    }
    const expression = this.expression(text, place, path);
    if (expression === null) return () => false;
    reads.push(expression.reads);
    if (expression.type !== 'bool' && expression.type !== 'dyn') {
      this.issues.push(
        this.#source.issue(
          path,
          `a condition is true or false, this is a ${personal(expression.type)}`,
          'compare it with something: == != < <= > >=',
        ),
      );
      return () => false;
    }
    const at = this.#at(path);
    const { evaluate } = expression;
    return (scope) => {
      const result = evaluate(scope);
      if (typeof result !== 'boolean') throw new EvaluationError(`${at}: the condition is neither true nor false`);
      return result;
    };
  }

  /** null where it is wrong: the issue is kept. */
  expression(form: ExpressionForm, place: Place, path: Path): Expression | null {
    const compiled = this.#expressions.compile(String(form), place, this.#at(path));
    if ('message' in compiled) {
      this.issues.push(this.#source.issueInText(path, compiled.offset, compiled.message, compiled.hint));
      return null;
    }
    for (const property of compiled.reads.trigger) this.capture.add(property);
    if (compiled.reads.triggerSession) this.captureSession = true;
    return compiled;
  }

  wrong(path: Path, message: string, hint: string | null = null): void {
    this.issues.push(this.#source.issue(path, message, hint));
  }

  #at(path: Path): string {
    const { line, column } = this.#source.at(path);
    return `${this.#source.name}:${line}:${column}`;
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  int: 'long',
  bool: 'boolean',
  'google.protobuf.Timestamp': 'time',
  'google.protobuf.Duration': 'duration',
};

export function personal(type: string): string {
  return TYPE_NAMES[type] ?? type;
}
