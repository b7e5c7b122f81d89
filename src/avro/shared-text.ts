/** This only keeps a flood of made-up names from filling the memory: what is named over and over is little. */
const MAX_BYTES = 1024 * 1024;
/** A longer one is hardly a name. */
const MAX_LENGTH = 64;

/**
 * Decodes names, which come again and again, to the same string each time: no memory for each, and none of the engine's work on a string that becomes a key of an object
 * (it hashes it and looks it up in its table) but for the first.
 */
export class SharedText {
  /** By a hash of their bytes. Only ASCII, where characters and bytes are the same. */
  readonly #known = new Map<number, string>();
  #bytes = 0;

  /** UTF-8, from `from` on. */
  read(bytes: Buffer, from: number, length: number): string {
    const end = from + length;
    if (length > MAX_LENGTH) return bytes.toString('utf8', from, end);
    let hash = length;
    let bits = 0;
    for (let at = from; at < end; at++) {
      hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
      bits |= bytes[at]!;
    }
    const known = this.#known.get(hash);
    if (known !== undefined && isTextAt(bytes, from, length, known)) return known;
    const text = bytes.toString('utf8', from, end);
    if (bits > 0x7f) return text;
    if (this.#bytes > MAX_BYTES) {
      this.#known.clear();
      this.#bytes = 0;
    }
    const key = Object.keys({ [text]: null })[0]!;
    this.#known.set(hash, key);
    this.#bytes += length;
    return key;
  }
}

/** Are these bytes that text? Said only of ASCII. */
export function isTextAt(bytes: Uint8Array, from: number, length: number, text: string): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[from + i]! > 0x7f || text.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}
