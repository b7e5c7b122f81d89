import { own } from '../core/own.ts';
import type { Scalar } from '../core/event.ts';
import type { Catalogue, Properties } from './catalogue.ts';
import type { LiquidRead } from './liquid.ts';
import type { Params } from './params.ts';
import { didYouMean } from './suggest.ts';
import type { SessionLike } from './views.ts';
import { NO_SESSION } from './views.ts';

/** What all templates of a topology may speak of. */
export interface TemplateWorld {
  readonly catalogue: Catalogue;
  readonly profile: Properties | null;
  readonly params: Params;
  readonly sums: readonly string[];
  readonly channels: ReadonlySet<string>;
}

/** What is wrong with a place where a template reads something; null where nothing is. */
export function checkRead(
  read: LiquidRead,
  properties: Properties,
  eventType: string | null,
  world: TemplateWorld,
): { message: string; hint: string | null } | null {
  const [root, ...rest] = read.segments;
  if (read.computed)
    return {
      message: `\`${read.segments.join('.')}\` is computed`,
      hint: 'name what you read: only that is kept until the message is sent',
    };
  switch (root) {
    case 'trigger':
      if (rest[0] === 'session') return sessionProblem('trigger.session', rest.slice(1), world);
      return fieldProblem(eventType ?? 'trigger', rest, properties.keys(), 'property');
    case 'session':
      return sessionProblem('session', rest, world);
    case 'user':
      return world.profile === null ? null : fieldProblem('user', rest, world.profile.keys(), 'attribute');
    case 'params':
      return fieldProblem('params', rest, world.params.keys(), 'param');
    default: {
      const name = root ?? '';
      const hint = properties.has(name)
        ? `did you mean \`trigger.${name}\`?`
        : world.profile?.has(name) === true
          ? `did you mean \`user.${name}\`?`
          : null;
      return {
        message: `\`${name}\` is not known here`,
        hint: hint ?? didYouMean(name, ['trigger', 'user', 'session', 'params'], 'a template can read'),
      };
    }
  }
}

function fieldProblem(
  owner: string,
  path: readonly string[],
  known: Iterable<string>,
  noun: string,
): { message: string; hint: string | null } | null {
  const names = [...known];
  const [name, ...deeper] = path;
  if (name === undefined) return { message: `\`${owner}\` as a whole cannot be written`, hint: didYouMean('', names, 'it has') };
  if (!names.includes(name)) {
    const declare = owner === 'user' ? 'declare it under `profile` in topology.yaml' : null;
    return { message: `\`${owner}\` has no ${noun} \`${name}\``, hint: didYouMean(name, names, 'known') ?? declare };
  }
  return deeper.length === 0 ? null : { message: `\`${name}\` has nothing inside`, hint: null };
}

function sessionProblem(owner: string, path: readonly string[], world: TemplateWorld): { message: string; hint: string | null } | null {
  if (path[0] === 'counts')
    return fieldProblem(
      `${owner}.counts`,
      path.slice(1),
      [...world.catalogue.keys()].filter((type) => !type.startsWith('$')),
      'event type',
    );
  if (path[0] === 'sums') return fieldProblem(`${owner}.sums`, path.slice(1), world.sums, 'sum');
  return fieldProblem(owner, path, ['count', 'counts', 'sums'], 'property');
}

const SAMPLES = { string: 'sample', long: 1, double: 1.5, boolean: true, time: 1_748_851_200_000 } as const;

/** Values for a trial: everything that is always there, and nothing that may be missing. */
export function sampleScope(readings: readonly LiquidRead[], properties: Properties, world: TemplateWorld): object {
  const sampled = (of: Properties): Record<string, Scalar> =>
    Object.fromEntries([...of].filter(([, { optional }]) => !optional).map(([name, { type }]) => [name, SAMPLES[type]]));
  const reads = readings.filter(({ segments }) => segments[0] === 'user' && segments.length === 2);
  const user =
    world.profile === null
      ? Object.fromEntries(reads.map(({ segments }) => [String(segments[1]), 'sample'] as const))
      : sampled(world.profile);
  const session = sessionScope(null, world);
  return { user, session, params: Object.fromEntries(world.params), trigger: { ...sampled(properties), session } };
}

/** Counts and sums of what did not happen are 0, not missing. */
export function sessionScope(session: SessionLike | null, world: TemplateWorld): object {
  const { count, counts, sums } = session ?? NO_SESSION;
  return {
    count,
    counts: Object.fromEntries([...world.catalogue.keys()].map((type) => [type, own(counts, type) ?? 0])),
    sums: Object.fromEntries(world.sums.map((name) => [name, own(sums, name) ?? 0])),
  };
}
