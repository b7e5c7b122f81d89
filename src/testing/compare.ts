import type { Decision, SendCommand } from '../core/output.ts';
import type { Place } from '../topology/source.ts';
import type { Expected, Scenario } from './scenario.ts';
import type { Output } from './simulation.ts';

export type Outcome = 'sent' | 'rejected' | 'revoked' | 'exited' | 'waiting';

/** Something that came out, in the words of expectations. */
export interface Got {
  readonly kind: Outcome;
  readonly atMs: number;
  readonly fields: Readonly<Record<string, string | null>>;
  /** Of a rejection or an exit: what the failing check said. */
  readonly detail: string;
}

export interface Difference {
  readonly kind: 'missing' | 'unexpected' | 'different';
  readonly place: Place;
  readonly expected: { readonly kind: Outcome; readonly atMs: number; readonly fields: Readonly<Record<string, string | null>> } | null;
  readonly got: Got | null;
  /** Names of the fields that differ, `at` and `outcome` among them. */
  readonly fields: readonly string[];
}

/** Commands and decisions belong together: a sent decision carries what the command says. */
export function gotFrom(output: Output): Got[] {
  const commands = new Map(output.commands.map((command) => [command.commandId, command]));
  const decided = output.decisions.map((decision) => fromDecision(decision, commands.get(decision.commandId)));
  const revoked = output.revocations.map((revocation): Got => {
    const command = commands.get(revocation.commandId);
    const fields = { journey: command?.journey ?? '', step: command?.step ?? '', reason: revocation.reason };
    return { kind: 'revoked', atMs: revocation.atMs, fields: { ...fields, ...keyOf(output, revocation.commandId) }, detail: '' };
  });
  return [...decided, ...revoked].sort((a, b) => a.atMs - b.atMs);
}

function keyOf(output: Output, commandId: string): Record<string, string> {
  const key = output.decisions.find((decision) => decision.commandId === commandId && decision.outcome === 'sent')?.key ?? '';
  return key === '' ? {} : { key };
}

function fromDecision(decision: Decision, command: SendCommand | undefined): Got {
  const { journey, step, key, occurrence } = decision;
  const fields: Record<string, string | null> = { journey, step, ...(key === '' ? {} : { key }), occurrence };
  if (decision.outcome !== 'sent') {
    const failed = decision.checks.find((check) => !check.passed);
    return {
      kind: decision.outcome,
      atMs: decision.decidedAtMs,
      fields: { ...fields, reason: decision.reason },
      detail: failed?.detail ?? '',
    };
  }
  if (command !== undefined) {
    fields['channel'] = command.channel;
    fields['devices'] = command.devices
      .map((device) => device.deviceId)
      .sort()
      .join(' ');
    Object.assign(fields, command.content ?? {});
    for (const [name, value] of Object.entries(command.data)) fields[`data.${name}`] = value;
  }
  return { kind: 'sent', atMs: decision.decidedAtMs, fields, detail: '' };
}

/** Expected and got, matched one to one. What fits nothing is paired with its likest counterpart, so that a person sees what differs. */
export function compare(scenario: Scenario, got: readonly Got[]): Difference[] {
  const left = [...got];
  const open: Expected[] = [];
  for (const expected of scenario.expected) {
    const found = left.findIndex((candidate) => differing(expected, candidate).length === 0);
    if (found >= 0) left.splice(found, 1);
    else open.push(expected);
  }
  const differences: Difference[] = open.map((expected) => {
    const best = likest(expected, left);
    if (best === null) return { kind: 'missing', place: expected.place, expected, got: null, fields: [] };
    left.splice(left.indexOf(best), 1);
    return { kind: 'different', place: expected.place, expected, got: best, fields: differing(expected, best) };
  });
  for (const candidate of left) differences.push({ kind: 'unexpected', place: scenario.place, expected: null, got: candidate, fields: [] });
  for (const { journey, place } of scenario.never) {
    const came = got.find(
      (candidate) => candidate.fields['journey'] === journey && !differences.some((difference) => difference.got === candidate),
    );
    if (came !== undefined) differences.push({ kind: 'unexpected', place, expected: null, got: came, fields: [] });
  }
  return differences;
}

function differing(expected: Expected, got: Got): string[] {
  const fields = Object.keys(expected.fields).filter((name) => (expected.fields[name] ?? null) !== (got.fields[name] ?? null));
  return [...(expected.kind === got.kind ? [] : ['outcome']), ...(expected.atMs === got.atMs ? [] : ['at']), ...fields];
}

/** Of the same journey (and key, where one is expected): the one with the fewest differences. */
function likest(expected: Expected, candidates: readonly Got[]): Got | null {
  let best: Got | null = null;
  let least = Infinity;
  for (const candidate of candidates) {
    if (candidate.fields['journey'] !== expected.fields['journey']) continue;
    if ((expected.kind === 'revoked') !== (candidate.kind === 'revoked')) continue;
    const key = expected.fields['key'];
    if (key !== undefined && candidate.fields['key'] !== key) continue;
    const count = differing(expected, candidate).length;
    if (count < least) {
      best = candidate;
      least = count;
    }
  }
  return best;
}
