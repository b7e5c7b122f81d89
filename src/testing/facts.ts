import type { Properties, Scalar } from '../core/event.ts';
import type { DeviceForm, FactsForm } from './scenario.ts';

/** Profile, devices and consent as the reserved events that say them. */
export function factEvents(facts: FactsForm): { type: string; properties: Properties }[] {
  const events: { type: string; properties: Properties }[] = [];
  if (facts.profile !== undefined && Object.keys(facts.profile).length > 0) events.push({ type: '$profile', properties: facts.profile });
  const numbers = new Map<string, number>();
  for (const device of facts.devices ?? []) events.push({ type: '$device_added', properties: deviceProperties(device, numbers) });
  for (const [name, state] of Object.entries(facts.consent ?? {})) {
    const [category, channel] = name.split('/') as [string, string?];
    events.push({ type: '$consent', properties: { category, state, ...(channel === undefined ? {} : { channel }) } });
  }
  return events;
}

/** A channel alone is a device that may be reached: `fcm-1`, `fcm-2`. */
function deviceProperties(device: DeviceForm, numbers: Map<string, number>): Record<string, Scalar> {
  const form = typeof device === 'string' ? { kind: device } : device;
  const number = (numbers.get(form.kind) ?? 0) + 1;
  numbers.set(form.kind, number);
  const deviceId = form.id ?? `${form.kind}-${number}`;
  return {
    deviceId,
    kind: form.kind,
    value: `address-of-${deviceId}`,
    permission: form.permission ?? 'granted',
    ...(form.locale === undefined ? {} : { locale: form.locale }),
    ...(form.zone === undefined ? {} : { zone: form.zone }),
    ...(form.app_version === undefined ? {} : { appVersion: form.app_version }),
  };
}
