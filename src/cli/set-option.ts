import { Option } from 'commander';
import { UsageError } from './errors.ts';

/** `--set name=value`, which may be given again, for params; `parseSet` reads what comes of it. */
export function setOption(whose: string, note = ''): Option {
  return new Option('--set <name=value>', `sets one of ${whose} params; may be given again${note}`)
    .argParser((value: string, before: readonly string[]) => [...before, value])
    .default([]);
}

/** The pairs of `--set`, once per param. */
export function parseSet(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at <= 0) throw new UsageError(`--set ${pair}: write it as name=value, for example --set cartWait=3s`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
