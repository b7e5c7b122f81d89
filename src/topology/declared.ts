import type { Properties } from './catalogue.ts';
import type { FileExpressions } from './conditions.ts';
import type { Path } from './source.ts';
import { didYouMean } from './suggest.ts';

/** Whether users have this attribute; where the topology declares none, any. Where it is wrong the issue is kept. */
export function isDeclared(attribute: string, path: Path, profile: Properties | null, expressions: FileExpressions): boolean {
  if (profile === null || profile.has(attribute)) return true;
  const hint = didYouMean(attribute, profile.keys(), 'under `profile`') ?? 'declare it under `profile`';
  expressions.wrong(path, `users have no attribute \`${attribute}\``, hint);
  return false;
}
