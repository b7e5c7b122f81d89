/** Confluent's frame: a zero byte, the schema's id in four bytes (big endian), Avro's binary encoding. */
export const FRAME_BYTES = 5;

/** undefined where it is not framed. */
export function frameId(value: Buffer): number | undefined {
  return value.length >= FRAME_BYTES && value[0] === 0 ? value.readUInt32BE(1) : undefined;
}

export function writeFrame(buffer: Buffer, id: number): void {
  buffer[0] = 0;
  buffer.writeUInt32BE(id, 1);
}
