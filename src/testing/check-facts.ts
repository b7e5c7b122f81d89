import { isZone } from '../core/zone.ts';
import type { CompiledTopology } from '../topology/compile.ts';
import type { Path } from '../topology/source.ts';
import { didYouMean } from '../topology/suggest.ts';
import { fits } from './fits.ts';
import type { FactsForm } from './scenario.ts';

/** What is wrong with a fact, at a path within the facts. */
export interface FactMistake {
  readonly path: Path;
  readonly message: string;
  readonly hint: string | null;
}

/** What a scenario knows of its user, held against the topology: an opt-out of a category that is misspelt proves nothing. Times are milliseconds by now. */
export function factMistakes({ profile, devices, consent }: FactsForm, topology: CompiledTopology): readonly FactMistake[] {
  const { channels, categories } = topology.program;
  const mistakes: FactMistake[] = [];
  const mistake = (path: Path, message: string, hint: string | null): void => void mistakes.push({ path, message, hint });
  const checkZone = (path: Path, zone: unknown): void => {
    if (typeof zone === 'string' && !isZone(zone))
      mistake(path, `there is no time zone \`${zone}\``, 'an IANA name, such as Europe/Berlin');
  };
  for (const [name, value] of Object.entries(profile ?? {})) {
    const path = ['profile', name];
    const declared = topology.profile?.get(name);
    if (name === 'zone') checkZone(path, value);
    else if (declared === undefined && topology.profile !== null)
      mistake(path, `there is no attribute \`${name}\``, didYouMean(name, topology.profile.keys(), 'profile in topology.yaml has'));
    else if (declared !== undefined && value !== null && !fits(value, declared.type))
      mistake(path, `\`${name}\` is a ${declared.type}, not \`${String(value)}\``, declared.type === 'time' ? TIMES : null);
  }
  const reached = [...channels].filter(([, { device }]) => device).map(([name]) => name);
  devices?.forEach((form, i) => {
    const { kind, zone } = typeof form === 'string' ? { kind: form, zone: undefined } : form;
    const path = ['devices', i, ...(typeof form === 'string' ? [] : ['kind'])];
    if (!reached.includes(kind)) mistake(path, `no channel reaches a device of kind \`${kind}\``, didYouMean(kind, reached, 'channels'));
    checkZone(['devices', i, 'zone'], zone);
  });
  for (const name of Object.keys(consent ?? {})) {
    const [category, channel] = name.split('/') as [string, string?];
    const path = ['consent', name];
    if (!categories.has(category))
      mistake(path, `there is no category \`${category}\``, didYouMean(category, categories.keys(), 'categories'));
    if (channel !== undefined && !channels.has(channel))
      mistake(path, `there is no channel \`${channel}\``, didYouMean(channel, channels.keys(), 'channels'));
  }
  return mistakes;
}

const TIMES = 'from the start, such as 10d or -200d, or a date such as 2025-07-01';
