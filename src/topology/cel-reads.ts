import type { ASTNode } from '@marcbachmann/cel-js';
import type { ExpressionError } from './cel.ts';
import type { Views, ViewType } from './views.ts';

/** What an expression reads, found in its syntax tree: what a journey must capture, and what may be missing. */
export interface Reads {
  readonly variables: ReadonlySet<string>;
  /** Properties of `trigger`. */
  readonly trigger: ReadonlySet<string>;
  readonly triggerSession: boolean;
  /** Attributes of `user`; null where they are computed: any of them. */
  readonly user: ReadonlySet<string> | null;
}

/** Functions whose argument may be missing: that is what they are for. */
const TAKES_MISSING = new Set(['has', 'coalesce']);

/**
 * Walks the tree. An optional value that is read without `has` or `coalesce` anywhere around it would make the expression fail for everybody who has
 * none: that is an error here instead of a silence in production.
 */
export function readsOf(root: ASTNode, variables: ReadonlyMap<string, ViewType | null>, views: Views): Reads | ExpressionError {
  const used = new Set<string>();
  const trigger = new Set<string>();
  const guarded = new Set<string>();
  const unguarded: { readonly path: string; readonly node: ASTNode }[] = [];
  let triggerSession = false;
  const computed: ASTNode[] = [];
  const attributes = new Set<string>();
  // `user` alone, or with a computed name, stands for all of its attributes.
  let unnamed = 0;

  const visit = (node: ASTNode, safe: boolean): void => {
    if (node.op === 'id') {
      if (variables.has(node.args)) used.add(node.args);
      if (node.args === 'user') unnamed++;
      return;
    }
    const access = accessOf(node);
    if (access !== null) {
      const { variable, field } = access;
      if (field === null) {
        if (variable === 'trigger') computed.push(node);
      } else {
        const path = `${variable}.${field}`;
        if (variable === 'user') {
          attributes.add(field);
          unnamed--;
        }
        if (variable === 'trigger') {
          if (field === 'session') triggerSession = true;
          else trigger.add(field);
        }
        if (variables.get(variable)?.fields.get(field)?.optional === true) {
          if (safe) guarded.add(path);
          else unguarded.push({ path, node });
        }
      }
    }
    const inside = safe || (node.op === 'call' && TAKES_MISSING.has(node.args[0]));
    for (const child of childrenOf(node.args)) visit(child, inside);
  };
  visit(root, false);

  if (computed[0] !== undefined) return computedError(computed[0]);
  const open = unguarded.find(({ path }) => !guarded.has(path));
  if (open !== undefined)
    return {
      offset: open.node.start,
      message: `\`${open.path}\` may be missing`,
      hint: `say what holds then: coalesce(${open.path}, ...), or has(${open.path}) && ...`,
    };
  // The event's own fields are always there; properties are what has to be kept.
  for (const field of views.anyTrigger.fields.keys()) trigger.delete(field);
  return { variables: used, trigger, triggerSession, user: unnamed > 0 ? null : attributes };
}

function computedError(node: ASTNode): ExpressionError {
  return {
    offset: node.start,
    message: '`trigger[...]` needs a name',
    hint: 'write trigger.name: only what is named is kept until the message is sent',
  };
}

/** `trigger.sku`, `trigger["sku"]`; field null where it is computed. */
function accessOf(node: ASTNode): { readonly variable: string; readonly field: string | null } | null {
  if (node.op === '.' || node.op === '.?') {
    const [left, field] = node.args;
    return left.op === 'id' ? { variable: left.args, field } : null;
  }
  if (node.op === '[]' || node.op === '[?]') {
    const [left, index] = node.args;
    if (left.op !== 'id') return null;
    return { variable: left.args, field: index.op === 'value' && typeof index.args === 'string' ? index.args : null };
  }
  return null;
}

function* childrenOf(args: unknown): Generator<ASTNode> {
  if (Array.isArray(args)) for (const item of args) yield* childrenOf(item);
  else if (isNode(args)) yield args;
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}
