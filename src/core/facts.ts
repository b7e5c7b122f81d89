import { own } from './own.ts';
import type { Turn } from './draft.ts';
import type { Event, Properties } from './event.ts';
import { isOpen, revoke, settle } from './ledger.ts';
import { consentOf, isReachable } from './reach.ts';
import { ReservedEventError, textOf } from './reserved.ts';
import type { Device } from './state.ts';

/** What reserved events change: facts about the user, and the outcomes of commands. The event has passed `checkReserved`. */
export function applyReserved(turn: Turn, event: Event, atMs: number): void {
  switch (event.type) {
    case '$profile':
      mergeProfile(turn, event);
      break;
    case '$device_added':
      addDevice(turn, event);
      break;
    case '$device_removed':
      removeDevice(turn, event);
      break;
    case '$device_unreachable':
      markUnreachable(turn, event);
      break;
    case '$consent':
      recordConsent(turn, event, atMs);
      break;
    case '$accepted':
      settleUnlessFinal(turn, event, 'accepted');
      break;
    case '$undelivered':
      // What may have arrived after all keeps its place: a user is never shown more than the caps allow because a sender lost track.
      settleUnlessFinal(turn, event, textOf(event, 'reason') === 'unknown' ? 'accepted' : 'released');
      break;
    default:
      seen(turn, event);
  }
}

function mergeProfile(turn: Turn, event: Event): void {
  setAttributes(turn, event.properties);
}

/** Merges attributes into what is known; null deletes one. */
export function setAttributes(turn: Turn, attributes: Properties): void {
  const profile = { ...turn.state.profile };
  for (const [name, value] of Object.entries(attributes))
    if (value === null) Reflect.deleteProperty(profile, name);
    else Object.defineProperty(profile, name, { value, enumerable: true, writable: true, configurable: true });
  const count = Object.keys(profile).length;
  const limit = turn.program.limits.profileAttributes;
  if (count > limit)
    throw new ReservedEventError(
      'too_many_attributes',
      `$profile would make ${count} attributes, the limit is ${limit} (null deletes one)`,
    );
  turn.state.profile = profile;
}

function addDevice(turn: Turn, event: Event): void {
  const { state, program } = turn;
  const deviceId = textOf(event, 'deviceId')!;
  const kind = textOf(event, 'kind')!;
  const value = textOf(event, 'value')!;
  const before = state.devices.find((device) => device.deviceId === deviceId);
  const device: Device = {
    deviceId,
    kind,
    value,
    permission: (textOf(event, 'permission') as Device['permission'] | null) ?? before?.permission ?? 'unknown',
    zone: textOf(event, 'zone') ?? before?.zone ?? null,
    locale: textOf(event, 'locale') ?? before?.locale ?? null,
    appVersion: textOf(event, 'appVersion') ?? before?.appVersion ?? null,
    registeredAtMs: event.appendedAtMs,
    lastSeenAtMs: Math.max(before?.lastSeenAtMs ?? 0, event.appendedAtMs),
    unreachableAtMs: null,
  };
  const others = state.devices.filter((other) => other.deviceId !== deviceId && !(other.kind === kind && other.value === value));
  // At the limit the one longest unseen goes; the new one stays whatever its time.
  others.sort((a, b) => b.lastSeenAtMs - a.lastSeenAtMs || (a.deviceId < b.deviceId ? -1 : 1));
  state.devices = [device, ...others.slice(0, Math.max(0, program.limits.devices - 1))];
}

function removeDevice(turn: Turn, event: Event): void {
  const deviceId = textOf(event, 'deviceId');
  const devices = turn.state.devices.filter((device) => device.deviceId !== deviceId);
  if (devices.length === turn.state.devices.length) return;
  turn.state.devices = devices;
  revokeUnreachable(turn);
}

function markUnreachable(turn: Turn, event: Event): void {
  const deviceId = textOf(event, 'deviceId')!;
  const value = textOf(event, 'value');
  const sentAtMs = own(event.properties, 'sentAt') as number;
  const at = turn.state.devices.findIndex((device) => device.deviceId === deviceId);
  const device = turn.state.devices[at];
  if (device === undefined || device.registeredAtMs > sentAtMs || (value !== null && value !== device.value)) return;
  turn.state.devices = turn.state.devices.with(at, { ...device, unreachableAtMs: turn.nowMs });
  revokeUnreachable(turn);
}

/** Takes back what is open and has no device left to go to. */
function revokeUnreachable(turn: Turn): void {
  const reachable = new Set(turn.state.devices.filter(isReachable).map((device) => device.deviceId));
  for (const entry of turn.state.ledger)
    if (isOpen(turn, entry) && entry.deviceIds.length > 0 && !entry.deviceIds.some((deviceId) => reachable.has(deviceId)))
      revoke(turn, entry, 'no_device');
}

function recordConsent(turn: Turn, event: Event, atMs: number): void {
  const { state, program } = turn;
  const category = textOf(event, 'category')!;
  const channel = textOf(event, 'channel');
  const name = channel === null ? category : `${category}/${channel}`;
  const before = own(state.consent, name);
  if (before !== undefined && before.atMs > atMs) return;
  const choice = textOf(event, 'state') === 'in' ? 'in' : 'out';
  state.consent = { ...state.consent, [name]: { state: choice, atMs, reason: textOf(event, 'reason') } };
  if (choice === 'in') return;
  for (const entry of state.ledger)
    if (
      entry.category === category &&
      isOpen(turn, entry) &&
      program.classes.get(entry.class)?.needsConsent !== false &&
      consentOf(state, program, category, entry.channel) === 'out'
    )
      revoke(turn, entry, 'opt_out');
}

/** The first final outcome stands, but for a revocation that lost the race against the call. */
function settleUnlessFinal(turn: Turn, event: Event, outcome: 'accepted' | 'released'): void {
  const commandId = textOf(event, 'commandId')!;
  const entry = turn.state.ledger.find((other) => other.commandId === commandId);
  if (entry === undefined || (entry.outcome !== 'open' && entry.outcome !== 'revoked')) return;
  settle(turn, commandId, outcome);
}

/** Feedback from a device says that it is there: it is preferred from now on. */
function seen(turn: Turn, event: Event): void {
  const deviceId = textOf(event, 'deviceId');
  const at = turn.state.devices.findIndex((device) => device.deviceId === deviceId);
  const device = turn.state.devices[at];
  if (device === undefined || device.lastSeenAtMs >= event.appendedAtMs) return;
  turn.state.devices = turn.state.devices.with(at, { ...device, lastSeenAtMs: event.appendedAtMs });
}
