import type { Headers } from '../log/port.ts';

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * null where it is no text. A key that is framed Avro, or a number of Kafka's serializers, begins with a zero byte: read as text it would be a user id that nobody
 * knows; and one that is not UTF-8 would be the same id as others that are not.
 */
export function textOf(bytes: Buffer | null): string | null {
  if (bytes === null || bytes[0] === 0) return null;
  try {
    return STRICT.decode(bytes);
  } catch {
    return null;
  }
}

/** Those that are text. */
export function headerTexts(headers: Headers | undefined): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(headers ?? {})) {
    const text = textOf(value);
    if (text !== null) texts.set(name, text);
  }
  return texts;
}
