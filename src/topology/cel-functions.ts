import { EvaluationError } from '@marcbachmann/cel-js';
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import { DURATION, TIMESTAMP } from './views.ts';

/** Parts of the library's macro interface that its types leave open. */
interface TypeDeclaration {
  readonly kind: string;
  unify(registry: unknown, other: TypeDeclaration): TypeDeclaration | null;
}
interface Checker {
  readonly registry: unknown;
  check(node: ASTNode, context: unknown): TypeDeclaration;
  createError(code: string, message: string, node: ASTNode): Error;
  formatType(type: TypeDeclaration): string;
}
interface Evaluator {
  run(node: ASTNode, context: unknown): unknown;
}
interface Coalesce {
  readonly args: readonly ASTNode[];
}

/**
 * What expressions have beyond CEL's own: `coalesce`, rounding, and arithmetic between long and double, because a price times a quantity is nobody's type error. All
 * of it is pure. CEL's whole division of longs stays.
 */
export function registerFunctions(env: Environment): Environment {
  const round = (value: number) => Math.sign(value) * Math.round(Math.abs(value));
  env.registerFunction('round(double): int', (value: number) => whole(round(value)));
  env.registerFunction('floor(double): int', (value: number) => whole(Math.floor(value)));
  env.registerFunction('ceil(double): int', (value: number) => whole(Math.ceil(value)));
  for (const name of ['round', 'floor', 'ceil']) env.registerFunction(`${name}(int): int`, (value: bigint) => value);
  env.registerFunction('abs(double): double', (value: number) => Math.abs(value));
  env.registerFunction('abs(int): int', (value: bigint) => (value < 0n ? -value : value));
  env.registerFunction('min(double, double): double', (a: number, b: number) => Math.min(a, b));
  env.registerFunction('max(double, double): double', (a: number, b: number) => Math.max(a, b));
  env.registerFunction('min(int, int): int', (a: bigint, b: bigint) => (a < b ? a : b));
  env.registerFunction('max(int, int): int', (a: bigint, b: bigint) => (a > b ? a : b));
  env.registerFunction('string.replace(string, string): string', (text: string, from: string, to: string) =>
    text.replaceAll(from, () => to),
  );
  env.registerFunction(`millis(${TIMESTAMP}): int`, (time: Date) => BigInt(time.getTime()));
  env.registerFunction(`millis(${DURATION}): int`, (duration: { valueOf(): number }) => BigInt(Math.trunc(duration.valueOf())));
  for (const count of [2, 3, 4]) env.registerFunction(`coalesce(${Array<string>(count).fill('ast').join(', ')}): dyn`, coalesce);
  registerMixedArithmetic(env);
  return env;
}

export const FUNCTION_NAMES: readonly string[] = [
  ...[
    'abs',
    'bool',
    'ceil',
    'coalesce',
    'double',
    'duration',
    'floor',
    'has',
    'int',
    'max',
    'millis',
    'min',
    'round',
    'size',
    'string',
    'timestamp',
    'type',
  ],
  ...[
    'all',
    'contains',
    'endsWith',
    'exists',
    'exists_one',
    'filter',
    'indexOf',
    'join',
    'lastIndexOf',
    'lowerAscii',
    'map',
    'matches',
    'replace',
  ],
  ...[
    'split',
    'startsWith',
    'substring',
    'trim',
    'upperAscii',
    'getDayOfWeek',
    'getFullYear',
    'getHours',
    'getMinutes',
    'getMonth',
    'getSeconds',
  ],
];

function registerMixedArithmetic(env: Environment): void {
  const operations: readonly [string, (a: number, b: number) => number][] = [
    ['+', (a, b) => a + b],
    ['-', (a, b) => a - b],
    ['*', (a, b) => a * b],
    ['/', (a, b) => a / b],
  ];
  for (const [operator, apply] of operations) {
    env.registerOperator(`int ${operator} double: double`, (a: bigint, b: number) => apply(Number(a), b));
    env.registerOperator(`double ${operator} int: double`, (a: number, b: bigint) => apply(a, Number(b)));
  }
  env.registerOperator('int == double: bool', (a: bigint, b: number) => Number(a) === b);
}

/** `coalesce(user.firstName, "there")`: the first that is there. Only a missing value falls through; any other failure stays one. */
function coalesce({ args }: Coalesce): object {
  return {
    args,
    typeCheck(checker: Checker, macro: Coalesce, context: unknown): TypeDeclaration {
      const types = macro.args.map((arg) => checker.check(arg, context));
      return types.reduce((left, right, i) => {
        const both = left === right ? left : left.unify(checker.registry, right);
        if (both === null)
          throw checker.createError(
            'coalesce_types',
            `coalesce cannot be ${checker.formatType(left)} or ${checker.formatType(right)}`,
            macro.args[i]!,
          );
        return both;
      });
    },
    evaluate(evaluator: Evaluator, macro: Coalesce, context: unknown): unknown {
      const last = macro.args.length - 1;
      // What is missing is thrown, and a stack that nobody reads is most of what that costs.
      const { stackTraceLimit } = Error;
      Error.stackTraceLimit = 0;
      try {
        for (let i = 0; i < last; i++) {
          try {
            const value = evaluator.run(macro.args[i]!, context);
            if (value !== null && value !== undefined) return value;
          } catch (error) {
            if (!(error instanceof EvaluationError) || error.code !== 'no_such_key') throw error;
          }
        }
      } finally {
        Error.stackTraceLimit = stackTraceLimit;
      }
      return evaluator.run(macro.args[last]!, context);
    },
  };
}

function whole(value: number): bigint {
  if (!Number.isSafeInteger(value)) throw new EvaluationError({ code: 'not_whole', message: 'a number is too large to be rounded' });
  return BigInt(value);
}
