/**
 * Kafka's default partitioner for records with a key: murmur2 over the key's bytes, as the Java client computes it. librdkafka's default differs;
 * a record that another partitioner put elsewhere is found by comparing with this one.
 */
const SEED = 0x9747b28c;
const MIX = 0x5bd1e995;

/** 32-bit murmur2 with Kafka's seed, as a signed integer. */
export function murmur2(data: Buffer): number {
  const length = data.length;
  const tail = length & ~3;
  let hash = SEED ^ length;
  for (let i = 0; i < tail; i += 4) {
    let word = Math.imul(data.readInt32LE(i), MIX);
    word ^= word >>> 24;
    hash = Math.imul(hash, MIX) ^ Math.imul(word, MIX);
  }
  if (length > tail) {
    for (let i = length - 1; i >= tail; i--) hash ^= data.readUInt8(i) << ((i - tail) * 8);
    hash = Math.imul(hash, MIX);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MIX);
  return hash ^ (hash >>> 15);
}

/** The partition that Kafka's Java client would put this key on. */
export function partitionFor(key: Buffer, partitions: number): number {
  if (!Number.isInteger(partitions) || partitions < 1)
    throw new RangeError(`a topic has at least one partition, not ${String(partitions)}`);
  // The sign bit is masked, not negated: this is what the Java client does, and -1 and 1 must not share a partition.
  return (murmur2(key) & 0x7fffffff) % partitions;
}
