import type { Turn } from './draft.ts';
import { own } from './own.ts';
import type { SendStep } from './journey.ts';
import type { Program } from './program.ts';
import type { Device, UserState } from './state.ts';
import { isZone } from './zone.ts';

/**
 * Whom a message can reach, and whether it may. Three things, kept apart: what the person prefers (consent), what the operating system allows (permission), and
 * whether an address works (reachable).
 */

/**
 * The consent in force for a category on a channel. The narrower statement wins, except against an opt-out of the whole category that came after it:
 * "nothing of this kind any more" also ends what was once allowed on one channel.
 */
export function consentOf(state: UserState, program: Program, category: string, channel: string): 'in' | 'out' {
  const broad = own(state.consent, category);
  const narrow = own(state.consent, `${category}/${channel}`);
  if (narrow !== undefined && !(broad?.state === 'out' && broad.atMs > narrow.atMs)) return narrow.state;
  // A category that the topology does not know has no default to fall back on: closed.
  return broad?.state ?? program.categories.get(category)?.consent ?? 'out';
}

/** The step's channels that the person has not opted out of, in order of preference. A class that needs consent and names no category gets none. */
export function consentedChannels(state: UserState, program: Program, send: SendStep): readonly string[] {
  const { category } = send;
  if (program.classes.get(send.class)?.needsConsent === false) return send.channels;
  if (category === null) return [];
  return send.channels.filter((channel) => consentOf(state, program, category, channel) === 'in');
}

/** Where the user is: by the device seen last, else by the attribute `zone`, else as the topology says. What is no zone is not looked at. */
export function zoneOf({ devices, profile }: Pick<UserState, 'devices' | 'profile'>, { timeZone }: Pick<Program, 'timeZone'>): string {
  let latest: Device | null = null;
  for (const device of devices)
    if (device.zone !== null && isZone(device.zone) && (latest === null || device.lastSeenAtMs > latest.lastSeenAtMs)) latest = device;
  if (latest?.zone !== null && latest?.zone !== undefined) return latest.zone;
  const zone = own(profile, 'zone');
  return typeof zone === 'string' && isZone(zone) ? zone : timeZone;
}

/** Until when the user counts as being in the app: for so long after what reached us last of them. In the past where they are not. */
export function activeUntil({ state, program }: Pick<Turn, 'state' | 'program'>): number {
  const { lastActivityAppendedAtMs } = state.lifetime;
  return lastActivityAppendedAtMs === null ? 0 : lastActivityAppendedAtMs + program.activeMs;
}

/** A channel that needs no registered device: a log, a bench. */
export function needsDevice(program: Program, channel: string): boolean {
  return program.channels.get(channel)?.device ?? true;
}

/** The devices that a message on this channel goes to, most recently seen first. */
export function reachableDevices(state: UserState, channel: string): readonly Device[] {
  return state.devices
    .filter((device) => device.kind === channel && isReachable(device))
    .sort((a, b) => b.lastSeenAtMs - a.lastSeenAtMs || (a.deviceId < b.deviceId ? -1 : 1));
}

export function isReachable(device: Device): boolean {
  return device.unreachableAtMs === null && device.permission !== 'denied';
}
