import type { Turn } from './draft.ts';
import type { SendStep } from './journey.ts';
import { activeUntil, consentedChannels, needsDevice, reachableDevices } from './reach.ts';
import type { Device } from './state.ts';

/** Which channel a message takes, and to which devices. */

/** The channels of the message, or those that take their place while the user is in the app. */
export function channelsFor(turn: Turn, { channels, whileActive }: SendStep): readonly string[] {
  return whileActive?.kind === 'instead' && activeUntil(turn) > turn.nowMs ? whileActive.channels : channels;
}

export interface Reach {
  readonly consented: boolean;
  readonly consentDetail: string;
  readonly permitted: boolean;
  /** The first channel in order of preference that has consent and a reachable device; null = none. */
  readonly channel: string | null;
  readonly devices: readonly Device[];
}

export function choose(turn: Turn, send: SendStep): Reach {
  const { state, program } = turn;
  const consented = consentedChannels(state, program, send);
  const consentDetail = consented.length > 0 ? '' : send.category === null ? 'the step names no category' : `out of ${send.category}`;
  const result = { consented: consented.length > 0, consentDetail, permitted: true };
  // Behind a missing consent the devices are still looked at, on all channels: every check tells what it would have said.
  const candidates = consented.length > 0 ? consented : send.channels;
  for (const channel of candidates) {
    if (!needsDevice(program, channel)) return { ...result, channel, devices: [] };
    const devices = reachableDevices(state, channel);
    if (devices.length > 0) return { ...result, channel, devices };
  }
  const known = state.devices.filter((device) => candidates.includes(device.kind) && device.unreachableAtMs === null);
  return { ...result, permitted: known.length === 0 || known.some((device) => device.permission !== 'denied'), channel: null, devices: [] };
}
