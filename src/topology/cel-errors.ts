import { own } from '../core/own.ts';
import { ParseError, TypeError as CelTypeError } from '@marcbachmann/cel-js';
import type { ASTNode } from '@marcbachmann/cel-js';
import type { ExpressionError } from './cel.ts';
import { FUNCTION_NAMES } from './cel-functions.ts';
import { didYouMean, nearestName } from './suggest.ts';
import { DURATION, TIMESTAMP } from './views.ts';
import type { Views, ViewType } from './views.ts';

interface Named {
  readonly name: string;
  readonly type: ViewType | null;
}

/** What the CEL parser or checker found, in words for whoever wrote the condition. */
export function explainError(error: unknown, text: string, variables: readonly Named[], views: Pick<Views, 'all'>): ExpressionError {
  if (error instanceof ParseError) return explainParse(error, text);
  if (!(error instanceof CelTypeError)) throw error;
  const offset = error.range?.start ?? 0;
  const { node } = error;
  const plain = (message: string) => readable(message, views);
  switch (error.code) {
    case 'unknown_variable': {
      const name = node?.op === 'id' ? node.args : text.slice(offset, error.range?.end);
      const names = variables.map((variable) => variable.name);
      return {
        offset,
        message: `\`${name}\` is not known here`,
        hint: variableHint(name, variables) ?? didYouMean(name, names, 'here you can read'),
      };
    }
    case 'no_such_key':
      return noSuchKey(error, offset, node, views);
    case 'no_such_overload':
      return { offset: operandOffset(node, offset), ...overload(plain(error.summary)) };
    case 'no_matching_overload':
      return { offset, ...callProblem(plain(error.summary), node) };
    default:
      return { offset, message: lowerFirst(plain(error.summary)), hint: null };
  }
}

function explainParse(error: ParseError, text: string): ExpressionError {
  const offset = error.range?.start ?? 0;
  const word = wordAt(text, offset);
  const operator = own(WORDS, word.text.toLowerCase());
  if (operator !== undefined) return { offset: word.offset, message: `this is not CEL: \`${word.text}\``, hint: `write ${operator}` };
  if (/(^|[^=!<>])=($|[^=])/.test(text.slice(Math.max(0, offset - 2), offset + 2)))
    return { offset, message: 'this is not CEL: a single =', hint: 'compare with ==' };
  if (error.summary.endsWith('EOF'))
    return { offset, message: 'this is not CEL: it ends too early', hint: 'a part is missing behind the last one' };
  return { offset, message: `this is not CEL: ${lowerFirst(error.summary)}`, hint: null };
}

/** What other languages say. */
const WORDS: Readonly<Record<string, string>> = { and: '&&', or: '||', not: '!', is: '==' };

/** The word at an offset, or the one just before it. */
function wordAt(text: string, offset: number): { readonly text: string; readonly offset: number } {
  const inside = /\w/;
  let start = offset;
  while (start > 0 && text[start - 1] === ' ' && !inside.test(text[start] ?? '')) start--;
  while (start > 0 && inside.test(text[start - 1]!)) start--;
  let end = start;
  while (end < text.length && inside.test(text[end]!)) end++;
  return { text: text.slice(start, end), offset: start };
}

function noSuchKey(error: CelTypeError, offset: number, node: ASTNode | undefined, views: Pick<Views, 'all'>): ExpressionError {
  const key = /No such key: (.*)/.exec(error.summary)?.[1] ?? '';
  const typeName = leftTypeName(node);
  const owner = views.all.find((view) => view.name === typeName);
  if (owner === undefined) return { offset, message: `there is no \`${key}\``, hint: null };
  const noun = own(NOUNS, owner.label) ?? 'property';
  const known = [...owner.fields.keys()];
  const hint = didYouMean(key, known, 'known') ?? (owner.label === 'user' ? 'declare it under `profile` in topology.yaml' : null);
  return { offset, message: `\`${owner.label}\` has no ${noun} \`${key}\``, hint };
}

const NOUNS: Readonly<Record<string, string>> = {
  'session.counts': 'event type',
  'session.sums': 'sum',
  user: 'attribute',
  params: 'param',
};

function leftTypeName(node: ASTNode | undefined): string | null {
  if (node?.op !== '.' && node?.op !== '[]' && node?.op !== '.?' && node?.op !== '[?]') return null;
  const left = node.args[0] as { readonly checkedType?: { readonly name: string } };
  return left.checkedType?.name ?? null;
}

function variableHint(name: string, variables: readonly Named[]): string | null {
  for (const variable of variables) {
    if (variable.type?.fields.has(name) === true) return `did you mean \`${variable.name}.${name}\`?`;
  }
  if (name === 'event' && variables.some((variable) => variable.name === 'trigger')) return 'did you mean `trigger`?';
  if (name === 'trigger' && variables.some((variable) => variable.name === 'event')) return 'did you mean `event`?';
  return null;
}

function operandOffset(node: ASTNode | undefined, offset: number): number {
  return node?.start ?? offset;
}

function overload(summary: string): { readonly message: string; readonly hint: string | null } {
  const match = /no such overload: (\S+) (\S+) (.+)/.exec(summary);
  if (match === null) return { message: lowerFirst(summary), hint: null };
  const [, left, operator, right] = match as unknown as [string, string, string, string];
  const verb = ['==', '!=', '<', '<=', '>', '>='].includes(operator) ? 'compare' : 'calculate';
  const message =
    verb === 'compare'
      ? `${article(left)} cannot be compared with ${article(right)}`
      : `\`${operator}\` is not possible with ${article(left)} and ${article(right)}`;
  return { message, hint: conversion(left, right) };
}

function conversion(left: string, right: string): string | null {
  const pair = [left, right];
  const number = pair.includes('long') || pair.includes('double');
  if (pair.includes('string') && number)
    return 'a text in quotes is not a number: leave the quotes away, or convert with double(...) or string(...)';
  if (pair.includes('string') && pair.includes('boolean')) return 'true and false are written without quotes';
  if (pair.includes('duration') && (number || pair.includes('string'))) return 'write a duration as duration("90s")';
  return null;
}

function callProblem(summary: string, node: ASTNode | undefined): { readonly message: string; readonly hint: string | null } {
  const name = node?.op === 'call' || node?.op === 'rcall' ? node.args[0] : (/'(?:.*\.)?(\w+)\(/.exec(summary)?.[1] ?? '');
  const given = /\((.*)\)'/.exec(summary)?.[1] ?? '';
  if (!FUNCTION_NAMES.includes(name)) {
    const nearest = nearestName(name, FUNCTION_NAMES) ?? FUNCTION_NAMES.find((known) => known.startsWith(name)) ?? null;
    return { message: `there is no function \`${name}\``, hint: nearest === null ? null : `did you mean \`${nearest}\`?` };
  }
  return { message: given === '' ? `\`${name}\` cannot be called like this` : `\`${name}\` cannot take (${given})`, hint: null };
}

/** The names that the catalogue uses, not CEL's or ours. */
function readable(message: string, views: Pick<Views, 'all'>): string {
  let text = message
    .replaceAll(DURATION, 'duration')
    .replaceAll(TIMESTAMP, 'time')
    .replace(/\bint\b/g, 'long')
    .replace(/\bbool\b/g, 'boolean')
    .replace(/\bdyn<(\w+)>/g, '$1');
  for (const view of views.all) text = text.replace(new RegExp(`\\b${view.name}\\b`, 'g'), view.label);
  return text;
}

function article(type: string): string {
  return type === 'null' ? 'null' : `a ${type}`;
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
