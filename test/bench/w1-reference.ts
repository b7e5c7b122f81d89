import { readFileSync } from 'node:fs';
import type { SendCommand } from '../../src/core/output.ts';

/** What both sides agree on: a command by its rule and its trigger, and its five values. */
export interface Expected {
  readonly user: string;
  readonly values: string;
}

/** Lines `commandId TAB userId TAB value`, as the peers' reference writes them; keyed by rule and trigger event id. */
export function readReference(file: string): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  for (const [i, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (line === '') continue;
    const [commandId, user, json] = line.split('\t');
    if (commandId === undefined || user === undefined || json === undefined)
      throw new Error(`${file}:${i + 1}: not commandId TAB userId TAB value`);
    const value = JSON.parse(json) as { rule: string; at: number; sessionStart: number; sessionEvents: number; cartCents: number };
    const trigger = commandId.slice(commandId.indexOf(':') + 1);
    const values = [value.at, value.sessionStart, value.sessionEvents, value.cartCents].join(' ');
    expected.set(`${value.rule} ${trigger}`, { user, values });
  }
  return expected;
}

export interface Comparison {
  readonly commands: number;
  readonly reference: number;
  readonly missing: number;
  readonly unexpected: number;
  readonly duplicates: number;
  readonly wrongValue: number;
  readonly exact: boolean;
}

export function compare(commands: readonly SendCommand[], expected: ReadonlyMap<string, Expected>): Comparison {
  const seen = new Set<string>();
  let [unexpected, duplicates, wrongValue] = [0, 0, 0];
  for (const command of commands) {
    const id = `${command.journey} ${command.trigger.eventId}`;
    if (seen.has(id)) duplicates++;
    seen.add(id);
    const want = expected.get(id);
    const { sessionStart, sessionEvents, cartCents } = command.data;
    const values = [command.dueAtMs, sessionStart, sessionEvents, cartCents].join(' ');
    if (want === undefined) unexpected++;
    else if (want.user !== command.userId || want.values !== values) wrongValue++;
  }
  const missing = [...expected.keys()].filter((id) => !seen.has(id)).length;
  const exact = missing + unexpected + duplicates + wrongValue === 0;
  return { commands: commands.length, reference: expected.size, missing, unexpected, duplicates, wrongValue, exact };
}
