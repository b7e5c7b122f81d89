import { competes } from './arbitration.ts';
import { commandIdFor, commandTrigger, recordDecision } from './decisions.ts';
import { effectsOf } from './draft.ts';
import type { Turn } from './draft.ts';
import { own } from './own.ts';
import type { Event } from './event.ts';
import { countFor, reserve } from './ledger.ts';
import type { Check, Content } from './output.ts';
import { EvaluationError } from './condition.ts';
import type { Journey, SendStep } from './journey.ts';
import { channelsFor, choose } from './choose.ts';
import { activeUntil } from './reach.ts';
import { firstOther } from './moments.ts';
import { barredBy, recordEntry } from './reentry.ts';
import type { Device, Match } from './state.ts';
import { momentsOf } from './trackers.ts';

/**
 * The gate: every candidate passes here, at the moment of sending, and nowhere else is anything sent.
 *
 *   goal -> suppressor -> expiry -> audience -> consent -> permission -> device -> active -> duplicate -> reentry -> cap -> priority -> render -> mode -> send
 *
 * - Every check up to the cap is evaluated and recorded, also behind the first that failed; the first that failed is the reason. Rendering comes last, only for
 *   what is sent otherwise: its templates may read what an earlier check found missing.
 * - One step has it all: the command, the ledger's entry that reserves caps and dedup, the re-entry mark and the decision. Two candidates of one step
 *   see each other's reservations.
 * - Adding a suppressor, an opt-out or a cap never turns a rejection into a send.
 * - A journey in the shadow goes all the way and is rejected last: it uses up no cap, but enters as it would.
 * - An opt-out, a goal or a suppressor is looked up in the log as it stands at firing, wherever it was appended, if it is not older than the trigger.
 */
export function decide(turn: Turn, match: Match, journey: Journey, send: SendStep, event: Event | null, entered: boolean): Passage {
  const { state, program, nowMs } = turn;
  const channels = channelsFor(turn, send);
  const reach = choose(turn, { ...send, channels });
  const channel = reach.channel ?? channels[0] ?? '';
  const commandId = commandIdFor(turn, match, send.name, channel);

  const gate = new Checks();
  checkCancels(turn, match, journey, gate);
  checkExpiry(turn, match, journey, gate);
  checkAudience(turn, match, journey, event, gate);
  gate.add('consent', 'consent', reach.consented, reach.consentDetail);
  gate.add('permission', 'permission', reach.permitted, reach.permitted ? '' : 'denied on every device');
  gate.add(
    'device',
    'no_device',
    reach.channel !== null,
    reach.channel === null ? `none reachable for ${channels.join(', ')}` : reach.channel,
  );
  checkActive(turn, match, send, gate);
  const before = state.ledger.find((e) => e.journey === journey.name && e.step === send.name && e.occurrence === match.occurrence);
  gate.add('duplicate', 'duplicate', before === undefined, before === undefined ? '' : `decided ${nowMs - before.atMs} ms ago`);
  // From its first message on the mark is the run's own.
  if (!entered || before !== undefined) checkReentry(turn, match, journey, gate);
  checkCaps(turn, send, channel, gate);
  if (competes(turn, journey, send)) checkPriority(turn, match, gate);

  let content: Content | null = null;
  let data: Readonly<Record<string, string>> = {};
  if (gate.reason === null) {
    const scope = { event, trigger: match.trigger, state, nowMs };
    try {
      content = send.render === null ? null : send.render(scope, localeOf(turn, reach.devices), channel);
      data = send.data(scope);
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      gate.add('render', 'render_error', false, error.message);
    }
  }
  // Last, so that everything else is tried as it would be.
  if (gate.reason === null && journey.shadow) {
    gate.add('mode', 'shadow', false, 'would have been sent');
    if (!entered) recordEntry(turn, journey, match.key);
  }
  if (gate.reason !== null) {
    const verdict = { outcome: 'rejected', reason: gate.reason, checks: gate.checks, commandId, channel: reach.channel } as const;
    recordDecision(turn, match, send.name, verdict);
    if (gate.reason === 'shadow') return 'sent';
    return ENDS.has(gate.reason) ? 'ended' : 'skipped';
  }

  const messageClass = program.classes.get(send.class);
  const expiresAtMs = nowMs + send.ttlMs;
  effectsOf(turn).commands.push({
    commandId,
    app: program.app,
    userId: state.userId,
    journey: journey.name,
    step: send.name,
    occurrence: match.occurrence,
    class: send.class,
    promise: messageClass?.promise ?? 'at_most_once',
    category: send.category,
    channel,
    trigger: commandTrigger(match.trigger),
    dueAtMs: match.dueMs,
    decidedAtMs: nowMs,
    expiresAtMs,
    ttlMs: send.ttlMs,
    collapseKey: send.collapseKey,
    content,
    data,
    devices: reach.devices.map(({ deviceId, kind, value }) => ({ deviceId, kind, value })),
    topologyHash: program.hash,
    traceParent: match.trigger.traceParent,
  });
  reserve(turn, {
    commandId,
    journey: journey.name,
    step: send.name,
    key: match.key,
    occurrence: match.occurrence,
    class: send.class,
    category: send.category,
    channel,
    atMs: nowMs,
    expiresAtMs,
    triggeredAtMs: cancelsFromMs(match, journey),
    deviceIds: reach.devices.map((device) => device.deviceId),
    outcome: 'open',
  });
  if (!entered) recordEntry(turn, journey, match.key);
  if (competes(turn, journey, send)) turn.winner ??= { journey: journey.name, occurrence: match.occurrence, priority: journey.priority! };
  recordDecision(turn, match, send.name, { outcome: 'sent', reason: 'sent', checks: gate.checks, commandId, channel });
  return 'sent';
}

/** Whether the run goes on behind a send: it does where only this one message cannot or may not go out. `sent`: it has entered, also in the shadow. */
export type Passage = 'sent' | 'skipped' | 'ended';

/** What speaks against the whole journey, and not against one message of it. */
const ENDS: ReadonlySet<string> = new Set(['goal', 'suppressed', 'audience', 'condition_error', 'duplicate', 'reentry']);

/** The checks so far, and the first failing one's reason. */
class Checks {
  readonly checks: Check[] = [];
  reason: string | null = null;

  add(name: string, reason: string, passed: boolean, detail: string): void {
    this.checks.push({ name, passed, detail });
    if (!passed) this.reason ??= reason;
  }
}

/**
 * From when on a moment cancels: the trigger's own, the trigger itself excepted. What a session held is the condition's to judge, so that a session is
 * cancelled by what comes behind its last activity.
 */
function cancelsFromMs(match: Match, journey: Journey): number {
  return match.trigger.occurredAtMs + (journey.pattern.kind === 'session_ended' ? 1 : 0);
}

function checkCancels(turn: Turn, match: Match, journey: Journey, gate: Checks): void {
  for (const goal of [true, false]) {
    const detail = cancelOf(turn, match, journey, goal) ?? '';
    gate.add(goal ? 'goal' : 'suppressor', goal ? 'goal' : 'suppressed', detail === '', detail);
  }
}

/** What has reached the goal, or makes the journey pointless, as the log stands; null = nothing. */
export function cancelOf(turn: Turn, match: Match, journey: Journey, goal: boolean): string | null {
  const fromMs = cancelsFromMs(match, journey);
  for (const cancel of journey.cancelOn) {
    const tracker = turn.index.trackers.get(cancel.trackerId);
    if (cancel.goal !== goal || tracker === undefined) continue;
    const moment = firstOther(momentsOf(turn.state, tracker, match.key), fromMs, match.trigger.offset);
    if (moment !== undefined)
      return `${cancel.label}, ${moment.atMs - match.trigger.occurredAtMs} ms after the trigger (offset ${moment.offset})`;
  }
  return null;
}

function checkExpiry(turn: Turn, match: Match, journey: Journey, gate: Checks): void {
  const lateMs = turn.nowMs - match.dueMs;
  const limitMs = journey.expiresAfterMs;
  gate.add(
    'expiry',
    'expired',
    limitMs === null || lateMs <= limitMs,
    limitMs === null ? '' : `${lateMs} ms after it was due, limit ${limitMs} ms`,
  );
}

function checkAudience(turn: Turn, match: Match, journey: Journey, event: Event | null, gate: Checks): void {
  if (journey.audience === null) {
    gate.add('audience', 'audience', true, '');
    return;
  }
  try {
    const inside = journey.audience({ event, trigger: match.trigger, state: turn.state, nowMs: turn.nowMs });
    gate.add('audience', 'audience', inside, inside ? '' : 'condition not met');
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    gate.add('audience', 'condition_error', false, error.message);
  }
}

/** A message that is held back comes here while the user is in the app only where it has waited for as long as it may. */
function checkActive(turn: Turn, match: Match, { whileActive }: SendStep, gate: Checks): void {
  if (whileActive === null || whileActive.kind === 'instead') return;
  const leftMs = activeUntil(turn) - turn.nowMs;
  const held = whileActive.kind === 'hold' ? `, held back for ${turn.nowMs - match.dueMs} ms` : '';
  gate.add('active', 'active', leftMs <= 0, leftMs <= 0 ? '' : `counts as in the app for ${leftMs} ms more${held}`);
}

function checkPriority({ winner }: Turn, { journey, occurrence }: Match, gate: Checks): void {
  const passed = winner === null || (winner.journey === journey && winner.occurrence === occurrence);
  gate.add('priority', 'priority', passed, passed ? '' : `${winner.journey} was sent at the same moment, with priority ${winner.priority}`);
}

function checkReentry(turn: Turn, match: Match, journey: Journey, gate: Checks): void {
  const failed = barredBy(turn, journey, match.key);
  gate.add('reentry', 'reentry', failed === null, failed ?? '');
}

function checkCaps(turn: Turn, send: SendStep, channel: string, gate: Checks): void {
  let failed = '';
  const counts: string[] = [];
  if (turn.program.classes.get(send.class)?.capped !== false)
    for (const cap of turn.program.caps) {
      if (cap.category !== null && cap.category !== send.category) continue;
      if (cap.channel !== null && cap.channel !== channel) continue;
      const count = countFor(turn, cap);
      const text = `${cap.name}: ${count} of ${cap.max} in ${cap.windowMs} ms`;
      counts.push(text);
      if (count >= cap.max && failed === '') failed = text;
    }
  gate.add('cap', 'cap', failed === '', failed === '' ? counts.join('; ') : failed);
}

function localeOf(turn: Turn, devices: readonly Device[]): string | null {
  const profile = own(turn.state.profile, 'locale');
  return devices.find((device) => device.locale !== null)?.locale ?? (typeof profile === 'string' ? profile : null);
}
