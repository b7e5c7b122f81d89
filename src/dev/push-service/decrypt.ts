import { createDecipheriv, createECDH, hkdfSync, type ECDH } from 'node:crypto';

/** The receiving half of a subscription: what a browser keeps to itself. */
export interface ReceiverKeys {
  readonly ecdh: ECDH;
  /** 16 bytes. */
  readonly auth: Buffer;
}

export function createReceiverKeys(auth: Buffer): ReceiverKeys {
  const ecdh = createECDH('prime256v1');
  ecdh.generateKeys();
  return { ecdh, auth };
}

const TAG_BYTES = 16;

/**
 * Decrypts one `aes128gcm` push message (RFC 8188 framing, RFC 8291 keys).
 * @throws Error when the message is cut, altered, or meant for other keys
 */
export function decryptPush(message: Buffer, { ecdh, auth }: ReceiverKeys): Buffer {
  if (message.length < 86) throw new Error('push message: no aes128gcm header');
  const salt = message.subarray(0, 16);
  const recordBytes = message.readUInt32BE(16);
  const senderKey = message.subarray(21, 21 + message.readUInt8(20));
  const secret = ecdh.computeSecret(senderKey);
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), ecdh.getPublicKey(), senderKey]);
  const input = hkdf(secret, auth, info, 32);
  const key = hkdf(input, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16);
  const nonce = hkdf(input, salt, Buffer.from('Content-Encoding: nonce\0'), 12);
  const record = message.subarray(21 + senderKey.length);
  // A push message is exactly one record.
  if (record.length <= TAG_BYTES || record.length > recordBytes) throw new Error('push message: not a single record');
  const decipher = createDecipheriv('aes-128-gcm', key, nonce);
  decipher.setAuthTag(record.subarray(-TAG_BYTES));
  const padded = Buffer.concat([decipher.update(record.subarray(0, -TAG_BYTES)), decipher.final()]);
  const delimiter = padded.findLastIndex((byte) => byte !== 0);
  if (padded[delimiter] !== 2) throw new Error('push message: no padding delimiter');
  return padded.subarray(0, delimiter);
}

function hkdf(input: Buffer, salt: Buffer, info: Buffer, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', input, salt, info, bytes));
}
