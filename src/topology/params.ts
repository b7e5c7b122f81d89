import { didYouMean } from './suggest.ts';
import { DURATION_FORM, parseDuration } from './duration.ts';
import type { Issue } from './issue.ts';
import type { Path, Replaced, Source } from './source.ts';

export type ParamValue = string | number | boolean;
export type Params = ReadonlyMap<string, ParamValue>;

/**
 * The topology's params: defaults from `topology.yaml`, then what `--set` says. A value given outside must be of its default's kind, so that nobody sets a
 * duration to a bare number.
 */
export function resolveParams(
  source: Source,
  declared: Readonly<Record<string, unknown>>,
  set: Readonly<Record<string, string>>,
): { params: Params; issues: Issue[] } {
  const params = new Map<string, ParamValue>();
  const issues: Issue[] = [];
  for (const [name, value] of Object.entries(declared)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') params.set(name, value);
  }
  for (const [name, text] of Object.entries(set)) {
    const place = { file: `--set ${name}=${text}`, line: 0, column: 0, severity: 'error' as const };
    const preset = params.get(name);
    if (preset === undefined) {
      issues.push({
        ...place,
        message: `${source.name} has no param \`${name}\``,
        hint: didYouMean(name, params.keys(), 'params') ?? 'declare it with a default under `params`',
      });
      continue;
    }
    const value = convert(text, preset);
    if (value === undefined)
      issues.push({ ...place, message: `\`${name}\` must be ${kindOf(preset)}`, hint: `its default is ${String(preset)}` });
    else params.set(name, value);
  }
  return { params, issues };
}

function convert(text: string, preset: ParamValue): ParamValue | undefined {
  if (typeof preset === 'number') return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined;
  if (typeof preset === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  if (parseDuration(preset) !== undefined) return parseDuration(text) === undefined ? undefined : text;
  return text;
}

function kindOf(preset: ParamValue): string {
  if (typeof preset === 'number') return 'a number';
  if (typeof preset === 'boolean') return 'true or false';
  return parseDuration(preset) === undefined ? 'a text' : DURATION_FORM;
}

/** Puts the params' values where a file says `${params.name}`. A value that is nothing else keeps the param's own type. */
export function applyParams(source: Source, params: Params): Issue[] {
  const issues: Issue[] = [];
  source.substitute((text, path) => replaceIn(source, params, text, path, issues));
  return issues;
}

function replaceIn(source: Source, params: Params, text: string, path: Path, issues: Issue[]): Replaced | undefined {
  const segments: Replaced['segments'][number][] = [];
  let result = '';
  let behind = 0;
  for (const match of text.matchAll(/\$\{([^}]*)\}?/g)) {
    const name = /^params\.([A-Za-z_]\w*)$/.exec(match[1]!.trim())?.[1];
    const value = name === undefined ? undefined : params.get(name);
    if (name === undefined || !match[0].endsWith('}')) {
      issues.push(source.issueInText(path, match.index, `\`${match[0]}\` is not a param`, 'write ${params.name}'));
      return undefined;
    }
    if (value === undefined) {
      const hint = didYouMean(name, params.keys(), 'params') ?? 'declare it with a default under `params` in topology.yaml';
      issues.push(source.issueInText(path, match.index, `there is no param \`${name}\``, hint));
      return undefined;
    }
    if (match[0].length === text.length) return { value, segments: [{ from: 0, original: 0, replaced: true }] };
    segments.push({ from: result.length, original: behind, replaced: false });
    result += text.slice(behind, match.index);
    segments.push({ from: result.length, original: match.index, replaced: true });
    result += String(value);
    behind = match.index + match[0].length;
  }
  segments.push({ from: result.length, original: behind, replaced: false });
  return { value: result + text.slice(behind), segments };
}
