import type { BaseMessage, FidMessage } from 'firebase-admin/messaging';
import type { SendCommand, TargetDevice } from '../core/output.ts';

/** By installation id, or by registration token (deprecated in the SDK since 14.1, and what most apps have). */
export type FcmMessage = FidMessage | (BaseMessage & { readonly token: string });

const LONGEST_TTL_MS = 2_419_200_000;

/** Payload in bytes as FCM counts it: keys and values of the data, and what is shown. */
export const MAX_PAYLOAD_BYTES = 4_096;

/** The command in firebase-admin's terms. A device of kind `fcm_fid` is addressed by installation id, any other by registration token. */
export function fcmMessage(command: SendCommand, device: TargetDevice, ttlMs: number, nowMs: number): FcmMessage {
  const { content, collapseKey } = command;
  // Without a TTL, FCM keeps a message for four weeks.
  const ttl = Math.min(LONGEST_TTL_MS, Math.max(0, ttlMs));
  const high = command.promise === 'at_least_once';
  const base = {
    data: {
      ...command.data,
      ...(content !== null && content.url !== null && { url: content.url }),
      commandId: command.commandId,
      deviceId: device.deviceId,
    },
    ...(content !== null && {
      notification: { title: content.title, body: content.body, ...(content.image !== null && { imageUrl: content.image }) },
    }),
    android: {
      priority: high ? ('high' as const) : ('normal' as const),
      ttl,
      ...(collapseKey !== null && { collapseKey }),
    },
    apns: {
      headers: {
        'apns-expiration': String(Math.floor((nowMs + ttl) / 1_000)),
        'apns-priority': high ? '10' : '5',
        // APNs takes at most 64 bytes.
        ...(collapseKey !== null && Buffer.byteLength(collapseKey) <= 64 && { 'apns-collapse-id': collapseKey }),
      },
    },
    webpush: { headers: { TTL: String(Math.floor(ttl / 1_000)) } },
  };
  return device.kind === 'fcm_fid' ? { ...base, fid: device.value } : { ...base, token: device.value };
}

/** The message as the HTTP v1 API takes it. The SDK's type differs from the wire in two members: the image, and the TTL as a duration. */
export function fcmRequestBody(message: FcmMessage): Buffer {
  const { notification, android, ...rest } = message;
  const wire = {
    ...rest,
    ...(notification && {
      notification: {
        title: notification.title,
        body: notification.body,
        ...(notification.imageUrl !== undefined && { image: notification.imageUrl }),
      },
    }),
    ...(android && { android: { ...android, ...(android.ttl !== undefined && { ttl: duration(android.ttl) }) } }),
  };
  return Buffer.from(JSON.stringify({ message: wire }));
}

/** Payload bytes as FCM counts them. */
export function payloadBytes(message: FcmMessage): number {
  const { notification, data } = message;
  const texts = [...Object.entries(data ?? {}).flat(), notification?.title, notification?.body, notification?.imageUrl];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0);
}

/** `google.protobuf.Duration` in JSON. */
function duration(ms: number): string {
  return `${(ms / 1_000).toFixed(3)}s`;
}
