import { Environment } from '@marcbachmann/cel-js';
import type { ParseResult } from '@marcbachmann/cel-js';
import type { SourceRecord } from '../core/source.ts';
import { evaluationError } from './cel.ts';
import { explainError } from './cel-errors.ts';
import { registerFunctions } from './cel-functions.ts';
import type { Expression as ExpressionForm } from './files.ts';
import type { Issue } from './issue.ts';
import type { Params } from './params.ts';
import type { Path, Source as File } from './source.ts';
import { TIMESTAMP, Views } from './views.ts';
import type { ViewType } from './views.ts';

/** What all expressions of a source read of one record. */
export type SourceContext = Record<string, unknown>;

export interface SourceExpression {
  /** CEL's name of the result's type; `dyn` where it is not known before. */
  readonly type: string;
  /** @throws EvaluationError (the core's), naming the place in the file but no value */
  readonly evaluate: (context: SourceContext) => unknown;
}

/** `record` in CEL. */
class RecordView {
  readonly topic: string;
  readonly partition: bigint;
  readonly offset: bigint;
  readonly time: Date;
  readonly schema: string;

  constructor(record: SourceRecord) {
    this.topic = record.topic;
    this.partition = BigInt(record.partition);
    this.offset = BigInt(record.offset);
    this.time = new Date(record.timeMs);
    this.schema = record.schema ?? '';
  }
}

const FIELDS = { topic: 'string', partition: 'int', offset: 'int', time: TIMESTAMP, schema: 'string' };

/** Compiles the expressions of a topology's sources. Of `value` nothing is known before a record comes: its schema is the registry's, and may change. */
export class SourceExpressions {
  readonly issues: Issue[] = [];
  readonly #file: File;
  /** That can be named in a message. */
  readonly #views: Pick<Views, 'all'>;
  readonly #environment: Environment;
  readonly #variables: readonly { readonly name: string; readonly type: ViewType | null }[];
  readonly #params: object;

  constructor(file: File, params: Params) {
    this.#file = file;
    const views = new Views(new Map(), null, params, new Map());
    const record: ViewType = {
      ...{ name: 'SourceRecord', label: 'record', constructor: RecordView as unknown as new () => object },
      fields: new Map(Object.entries(FIELDS).map(([name, type]) => [name, { type, optional: false }])),
      create: () => {
        throw new Error('a record is made of what was read');
      },
    };
    this.#views = { all: [...views.all, record] };
    const paramsView = views.params.create();
    paramsView.point(views);
    this.#params = paramsView.object;
    const types = { value: 'dyn', key: 'dyn', headers: 'map<string, string>', record: record.name, params: views.params.name };
    this.#environment = registerFunctions(new Environment({ homogeneousAggregateLiterals: false }));
    this.#environment.registerType(views.params.name, {
      ctor: views.params.constructor,
      fields: Object.fromEntries([...views.params.fields].map(([name, { type }]) => [name, type])),
    });
    this.#environment.registerType(record.name, { ctor: RecordView, fields: FIELDS });
    for (const [name, type] of Object.entries(types)) this.#environment.registerVariable(name, type);
    const viewTypes: Readonly<Record<string, ViewType>> = { record, params: views.params };
    this.#variables = Object.keys(types).map((name) => ({ name, type: viewTypes[name] ?? null }));
  }

  /** One for each record: evaluating keeps nothing in it. */
  context(record: SourceRecord): SourceContext {
    const { value, key, headers } = record;
    return { value, key, headers, record: new RecordView(record), params: this.#params };
  }

  /** null where it is wrong, or its type is known and none of these: the issue is kept. `expects`: in words. */
  compile(form: ExpressionForm, path: Path, types: readonly string[], expects: string): SourceExpression | null {
    const text = String(form);
    let parsed: ParseResult;
    let type: string;
    try {
      parsed = this.#environment.parse(text);
      const checked = parsed.check();
      if (!checked.valid) return this.#wrong(checked.error, text, path);
      type = checked.type ?? 'dyn';
    } catch (error) {
      return this.#wrong(error, text, path);
    }
    // `dyn<string>`: nobody knows before a record comes.
    if (!type.startsWith('dyn') && !types.includes(type)) {
      this.issues.push(this.#file.issue(path, `${expects}, this is a ${NAMES[type] ?? type}`));
      return null;
    }
    const { line, column } = this.#file.at(path);
    const at = `${this.#file.name}:${line}:${column}`;
    const run = parsed as (context: SourceContext) => unknown;
    const evaluate = (context: SourceContext): unknown => {
      try {
        return run(context);
      } catch (error) {
        throw evaluationError(error, at);
      }
    };
    return { type, evaluate };
  }

  #wrong(error: unknown, text: string, path: Path): null {
    const { offset, message, hint } = explainError(error, text, this.#variables, this.#views);
    this.issues.push(this.#file.issueInText(path, offset, message, hint));
    return null;
  }
}

const NAMES: Readonly<Record<string, string>> = {
  int: 'long',
  bool: 'boolean',
  [TIMESTAMP]: 'time',
  'google.protobuf.Duration': 'duration',
};
