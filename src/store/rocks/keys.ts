/**
 * Where a row lives in RocksDB: partition (4 bytes, big endian), length of the table's name (1 byte), the name, the key. All of a
 * partition is one range, and all of a table of it is one range within, in the order of the keys. The name is in the key and not a
 * number, so that a store written with other tables still reads the same.
 */
export function partitionPrefix(partition: number): Buffer {
  const prefix = Buffer.allocUnsafe(4);
  prefix.writeUInt32BE(partition);
  return prefix;
}

/** @throws RangeError for a name that is not 1 to 64 characters of a-z, 0-9, `-` and `_` */
export function tablePrefix(partition: number, table: string): Buffer {
  if (!/^[a-z0-9_-]{1,64}$/i.test(table)) throw new RangeError(`"${table}" is not a name for a table`);
  return Buffer.concat([partitionPrefix(partition), Buffer.from([table.length]), Buffer.from(table, 'ascii')]);
}

/** The first key behind all keys that begin with `prefix`. A prefix ends in a byte of a name, so the last byte never overflows. */
export function behind(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end.writeUInt8(end.readUInt8(end.length - 1) + 1, end.length - 1);
  return end;
}

export function partitionOf(rowKey: Buffer): number {
  return rowKey.readUInt32BE(0);
}
