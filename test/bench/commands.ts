import { readFileSync } from 'node:fs';
import { createCodec } from '../../src/avro/codec.ts';
import type { Log } from '../../src/log/port.ts';
import { readAll } from './visible.ts';

/** What all sides agree on: a command by its rule and its trigger's event id, and its five values. */
export interface Observed {
  /** `rule eventId` */
  readonly id: string;
  readonly user: string;
  /** at, session start, events of the session, cents in the cart; joined by spaces. */
  readonly values: string;
}

/** A command's value as Kafka Streams writes it, and the reference. */
export interface CommandJson {
  readonly commandId: string;
  readonly userId: string;
  readonly rule: string;
  readonly at: number;
  readonly sessionStart: number;
  readonly sessionEvents: number;
  readonly cartCents: number;
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

export function observedOf(value: CommandJson): Observed {
  const trigger = value.commandId.slice(value.commandId.indexOf(':') + 1);
  const values = [value.at, value.sessionStart, value.sessionEvents, value.cartCents].join(' ');
  return { id: `${value.rule} ${trigger}`, user: value.userId, values };
}

/** Lines `commandId TAB userId TAB value (JSON)`; by id. */
export function readReference(file: string): Map<string, Observed> {
  const expected = new Map<string, Observed>();
  for (const [i, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (line === '') continue;
    const json = line.split('\t')[2];
    if (json === undefined) throw new Error(`${file}:${i + 1}: not commandId TAB userId TAB value`);
    const observed = observedOf(JSON.parse(json) as CommandJson);
    expected.set(observed.id, observed);
  }
  return expected;
}

/** Lull's commands, which are Avro. */
export async function readLullCommands(log: Log, topic: string): Promise<Observed[]> {
  const codec = createCodec();
  const commands: Observed[] = [];
  await readAll(log, topic, async (records) => {
    await codec.prepare(records.map(({ value }) => value));
    for (const { value, offset } of records) {
      const decoded = value === null ? null : codec.decode(value);
      if (decoded?.record !== 'lull.v1.SendCommand') throw new Error(`${topic}@${offset}: not a send command`);
      const { journey, trigger, userId, dueAtMs, data } = decoded.value;
      const values = [dueAtMs, data['sessionStart'], data['sessionEvents'], data['cartCents']].join(' ');
      commands.push({ id: `${journey} ${trigger.eventId}`, user: userId, values });
    }
  });
  return commands;
}

/** Commands that are JSON, under the user's key. */
export async function readJsonCommands(log: Log, topic: string): Promise<Observed[]> {
  const commands: Observed[] = [];
  await readAll(log, topic, (records) => {
    for (const { key, value } of records) {
      const observed = observedOf(JSON.parse(value!.toString('utf8')) as CommandJson);
      // A key that is not its user's is a wrong value.
      commands.push(key?.toString('utf8') === observed.user ? observed : { ...observed, user: `key ${key?.toString('utf8')}` });
    }
  });
  return commands;
}

export function compare(commands: readonly Observed[], expected: ReadonlyMap<string, Observed>): Comparison {
  const seen = new Set<string>();
  let [unexpected, duplicates, wrongValue] = [0, 0, 0];
  for (const { id, user, values } of commands) {
    if (seen.has(id)) duplicates++;
    seen.add(id);
    const want = expected.get(id);
    if (want === undefined) unexpected++;
    else if (want.user !== user || want.values !== values) wrongValue++;
  }
  const missing = [...expected.keys()].filter((id) => !seen.has(id)).length;
  const exact = missing + unexpected + duplicates + wrongValue === 0;
  return { commands: commands.length, reference: expected.size, missing, unexpected, duplicates, wrongValue, exact };
}
