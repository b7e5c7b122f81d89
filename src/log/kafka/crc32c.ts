/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78): a record batch's checksum, which Node does not have. Eight tables take eight bytes
 * a step ("slicing by 8"): four times as fast as byte after byte, and a commit has a megabyte of them.
 */
const TABLE_SIZE = 256;
const TABLES = tables();

export function crc32c(bytes: Buffer): number {
  let crc = -1;
  let at = 0;
  for (const wholeEnd = bytes.length - 7; at < wholeEnd; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      TABLES[7 * TABLE_SIZE + (crc & 0xff)]! ^
      TABLES[6 * TABLE_SIZE + ((crc >>> 8) & 0xff)]! ^
      TABLES[5 * TABLE_SIZE + ((crc >>> 16) & 0xff)]! ^
      TABLES[4 * TABLE_SIZE + (crc >>> 24)]! ^
      TABLES[3 * TABLE_SIZE + bytes[at + 4]!]! ^
      TABLES[2 * TABLE_SIZE + bytes[at + 5]!]! ^
      TABLES[TABLE_SIZE + bytes[at + 6]!]! ^
      TABLES[bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at++) crc = TABLES[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** The n-th table is what a byte does to the checksum with n more bytes behind it. */
function tables(): Int32Array {
  const table = new Int32Array(8 * TABLE_SIZE);
  for (let byte = 0; byte < TABLE_SIZE; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0x82f63b78);
    table[byte] = crc;
  }
  for (let i = TABLE_SIZE; i < table.length; i++) {
    const shorter = table[i - TABLE_SIZE]!;
    table[i] = (shorter >>> 8) ^ table[shorter & 0xff]!;
  }
  return table;
}
