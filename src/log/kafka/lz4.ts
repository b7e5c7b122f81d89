import { LzOutput } from './lz.ts';

const MAGIC = 0x184d2204;
const VERSION_AND_FLAGS = { contentChecksum: 0x04, contentSize: 0x08, blockChecksum: 0x10, dictionary: 0x01 };
const UNCOMPRESSED = 0x80000000;
const MIN_MATCH = 4;

/** An LZ4 frame, as Kafka's producers write it. Its checksums are not verified. https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md */
export function lz4Decompress(input: Buffer): Buffer {
  if (input.length < 7 || input.readUInt32LE(0) !== MAGIC) throw new RangeError('it does not begin like an LZ4 frame');
  const flags = input[4]!;
  if (flags & VERSION_AND_FLAGS.dictionary) throw new RangeError('it needs a dictionary');
  let at = 4 + 2 + (flags & VERSION_AND_FLAGS.contentSize ? 8 : 0) + 1;
  const output = new LzOutput(input.length * 3);
  for (;;) {
    const header = input.readUInt32LE(at);
    at += 4;
    if (header === 0) return output.result();
    const length = header % UNCOMPRESSED;
    if (at + length > input.length) throw new RangeError('it ends in the middle of a block');
    if (header >= UNCOMPRESSED) output.literal(input, at, length);
    else block(input.subarray(at, at + length), output);
    at += length + (flags & VERSION_AND_FLAGS.blockChecksum ? 4 : 0);
  }
}

function block(input: Buffer, output: LzOutput): void {
  let at = 0;
  // 15 in the token's half goes on in the bytes that follow, up to the first that is not 255.
  const lengthFrom = (nibble: number): number => {
    let length = nibble;
    if (nibble === 15) {
      let more: number;
      do {
        more = input.readUInt8(at++);
        length += more;
      } while (more === 255);
    }
    return length;
  };
  while (at < input.length) {
    const token = input[at++]!;
    const literals = lengthFrom(token >>> 4);
    output.literal(input, at, literals);
    at += literals;
    if (at === input.length) return; // the last sequence has no match
    const distance = input.readUInt16LE(at);
    at += 2;
    output.copy(distance, lengthFrom(token & 0x0f) + MIN_MATCH);
  }
}
