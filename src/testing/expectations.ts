import type { Journey } from '../core/journey.ts';
import type { Program } from '../core/program.ts';
import type { Issue } from '../topology/issue.ts';
import type { Path, Source } from '../topology/source.ts';
import { didYouMean } from '../topology/suggest.ts';
import type { Expected, ExpectedForm, Scenario, ScenarioForm, SentForm } from './scenario.ts';

/** Reasons that the gate and the patterns give; a misspelt one would never come. */
export const REASONS: readonly string[] = [
  ...[
    'goal',
    'suppressed',
    'expired',
    'audience',
    'consent',
    'permission',
    'no_device',
    'active',
    'duplicate',
    'reentry',
    'cap',
    'priority',
  ],
  ...['condition_error', 'render_error', 'limit', 'shadow', 'exit', 'step_removed', 'journey_removed'],
];

/** What a scenario expects, held against the journeys: names that do not exist are mistakes, not failures. */
export function readExpected(
  source: Source,
  form: ScenarioForm,
  path: Path,
  { journeys: known }: Pick<Program, 'journeys'>,
  channels: ReadonlyMap<string, unknown>,
  time: (text: string) => number,
): { expected: Expected[]; never: Scenario['never']; issues: Issue[] } {
  const issues: Issue[] = [];
  const journeys = new Map(known.map((journey) => [journey.name, journey]));
  const expected: Expected[] = [];

  const journeyAt = (name: string, at: Path): Journey | undefined => {
    const journey = journeys.get(name);
    if (journey === undefined)
      issues.push(source.issue(at, `there is no journey \`${name}\``, didYouMean(name, journeys.keys(), 'journeys')));
    return journey;
  };
  const read = (kind: Expected['kind'], item: ExpectedForm, at: Path): void => {
    const journey = journeyAt(item.journey, [...at, 'journey']);
    const steps = journey?.steps.map(({ name }) => name) ?? [];
    if (journey !== undefined && item.step !== undefined && !steps.includes(item.step))
      issues.push(source.issue([...at, 'step'], `\`${item.journey}\` has no step \`${item.step}\``, didYouMean(item.step, steps, 'steps')));
    const { channel } = item as SentForm;
    if (channel !== undefined && !channels.has(channel))
      issues.push(source.issue([...at, 'channel'], `there is no channel \`${channel}\``, didYouMean(channel, channels.keys(), 'channels')));
    if (kind === 'rejected' && item.reason !== undefined && !REASONS.includes(item.reason))
      issues.push(
        source.issue(
          [...at, 'reason'],
          `there is no reason \`${item.reason}\``,
          didYouMean(item.reason, REASONS) ?? `reasons: ${REASONS.join(', ')}`,
        ),
      );
    expected.push({ kind, atMs: time(item.at), fields: fieldsOf(item), place: source.at(at) });
  };

  const { sent, rejected, revoked, exited, never } = form.expect;
  sent?.forEach((item, i) => read('sent', item, [...path, 'expect', 'sent', i]));
  rejected?.forEach((item, i) => read('rejected', item, [...path, 'expect', 'rejected', i]));
  revoked?.forEach((item, i) => read('revoked', item, [...path, 'expect', 'revoked', i]));
  exited?.forEach((item, i) => read('exited', item, [...path, 'expect', 'exited', i]));
  const absent = (never ?? []).map((journey, i) => {
    const at = [...path, 'expect', 'never', i];
    journeyAt(journey, at);
    return { journey, place: source.at(at) };
  });
  return { expected, never: absent, issues };
}

function fieldsOf(item: ExpectedForm | SentForm): Record<string, string | null> {
  const { at: _at, data, devices, ...rest } = item as SentForm;
  const fields: Record<string, string | null> = { ...rest };
  if (devices !== undefined) fields['devices'] = [...devices].sort().join(' ');
  for (const [name, value] of Object.entries(data ?? {})) fields[`data.${name}`] = value === null ? null : String(value);
  return fields;
}
