import { writeFile } from 'node:fs/promises';
import type { Log } from '../../src/log/port.ts';
import type { CommandJson } from './commands.ts';
import { decodeEvent } from './event-format.ts';
import type { BenchEvent } from './w1-events.ts';
import { readAll } from './visible.ts';

const MINUTE = 60_000;
const SESSION_GAP_MS = 30 * MINUTE;
const CART_WAIT_MS = 60 * MINUTE;
const CHECKOUT_WAIT_MS = 10 * MINUTE;

/** An event of a user, in log order, with the session as it was with it. */
interface Seen {
  readonly event: BenchEvent;
  readonly order: number;
  readonly session: { readonly startMs: number; readonly count: number; readonly cents: number };
}

/**
 * W1's commands by definition, without any streaming: all events of a user are there, sorted by (time, offset), and each rule is a condition on that set.
 * Shares no code with the engine. One partition's events are in memory at a time.
 */
export async function computeReference(log: Log, topic: string): Promise<CommandJson[]> {
  const commands: CommandJson[] = [];
  let users = new Map<string, BenchEvent[]>();
  let current = 0;
  const close = (): void => {
    for (const events of users.values()) commands.push(...commandsOf(events));
    users = new Map();
  };
  await readAll(log, topic, (records, partition) => {
    if (partition !== current) close();
    current = partition;
    for (const { value } of records) {
      const event = decodeEvent(value!);
      if (event.type === 'flush') continue;
      const events = users.get(event.userId);
      if (events === undefined) users.set(event.userId, [event]);
      else events.push(event);
    }
  });
  close();
  return commands;
}

/** Lines `commandId TAB userId TAB value`, sorted. */
export async function writeReference(file: string, commands: readonly CommandJson[]): Promise<void> {
  const lines = commands.map((command) => `${command.commandId}\t${command.userId}\t${JSON.stringify(command)}\n`);
  await writeFile(file, lines.sort().join(''));
}

/** Of one user's events, in log order. */
export function commandsOf(inLogOrder: readonly BenchEvent[]): CommandJson[] {
  const seen = withSessions(inLogOrder);
  const sorted = [...seen].sort((a, b) => a.event.occurredAtMs - b.event.occurredAtMs || a.order - b.order);
  const commands: CommandJson[] = [];
  for (const [i, { event, session }] of sorted.entries()) {
    const command = (rule: string, prefix: string, waitMs: number): void => {
      const values = { sessionStart: session.startMs, sessionEvents: session.count, cartCents: session.cents };
      const commandId = `${prefix}:${event.eventId}`;
      commands.push({ commandId, userId: event.userId, rule, at: event.occurredAtMs + waitMs, ...values });
    };
    if (event.type === 'cart_item_added' && !isFollowed(sorted, i, CART_WAIT_MS, ['cart_item_added', 'purchase_completed']))
      command('cart_abandoned', 'cart', CART_WAIT_MS);
    if (event.type === 'checkout_started' && !isFollowed(sorted, i, CHECKOUT_WAIT_MS, undefined))
      command('checkout_idle', 'idle', CHECKOUT_WAIT_MS);
    if (event.type === 'ping') command('ping', 'ping', 0);
  }
  return commands;
}

/** Is there a later event of these types (any: undefined) before the wait is over? */
function isFollowed(sorted: readonly Seen[], index: number, waitMs: number, types: readonly string[] | undefined): boolean {
  const endMs = sorted[index]!.event.occurredAtMs + waitMs;
  for (let i = index + 1; i < sorted.length && sorted[i]!.event.occurredAtMs < endMs; i++)
    if (types === undefined || types.includes(sorted[i]!.event.type)) return true;
  return false;
}

/** An event joins the current session unless it is more than the gap behind that session's end. */
function withSessions(inLogOrder: readonly BenchEvent[]): Seen[] {
  let [startMs, lastMs, count, cents] = [0, -Infinity, 0, 0];
  return inLogOrder.map((event, order) => {
    const at = event.occurredAtMs;
    if (at > lastMs + SESSION_GAP_MS) [startMs, lastMs, count, cents] = [at, at, 0, 0];
    startMs = Math.min(startMs, at);
    lastMs = Math.max(lastMs, at);
    count++;
    if (event.type === 'cart_item_added') cents += Math.round(Number(event.properties['price']) * 100) * Number(event.properties['qty']);
    return { event, order, session: { startMs, count, cents } };
  });
}
