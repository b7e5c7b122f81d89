/** The least key behind this one: where a scan goes on. */
export function keyBehind(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}
