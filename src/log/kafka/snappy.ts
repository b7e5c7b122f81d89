import { LzOutput } from './lz.ts';

/** Java's producers cut the data into blocks behind this; others write one block without it. */
const JAVA_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const JAVA_HEADER_BYTES = 16;

/** https://github.com/google/snappy/blob/main/format_description.txt */
export function snappyDecompress(input: Buffer): Buffer {
  if (!input.subarray(0, JAVA_MAGIC.length).equals(JAVA_MAGIC)) return block(input);
  const blocks: Buffer[] = [];
  for (let at = JAVA_HEADER_BYTES; at < input.length;) {
    const length = input.readInt32BE(at);
    at += 4;
    if (length < 0 || at + length > input.length) throw new RangeError('it ends in the middle of a block');
    blocks.push(block(input.subarray(at, at + length)));
    at += length;
  }
  return Buffer.concat(blocks);
}

function block(input: Buffer): Buffer {
  let at = 0;
  let expected = 0;
  for (let shift = 1, byte = 0x80; byte >= 0x80; shift *= 0x80) {
    byte = input.readUInt8(at++);
    expected += (byte & 0x7f) * shift;
  }
  // The length is the sender's word: memory is taken for it only as far as this format can compress.
  const output = new LzOutput(Math.min(expected, input.length * 64));
  while (at < input.length) {
    const tag = input[at++]!;
    switch (tag & 3) {
      case 0: {
        let length = (tag >>> 2) + 1;
        if (length > 60) {
          const bytes = length - 60;
          length = input.readUIntLE(at, bytes) + 1;
          at += bytes;
        }
        output.literal(input, at, length);
        at += length;
        break;
      }
      case 1:
        output.copy(((tag >>> 5) << 8) | input.readUInt8(at), ((tag >>> 2) & 7) + 4);
        at += 1;
        break;
      case 2:
        output.copy(input.readUInt16LE(at), (tag >>> 2) + 1);
        at += 2;
        break;
      default:
        output.copy(input.readUInt32LE(at), (tag >>> 2) + 1);
        at += 4;
    }
  }
  const result = output.result();
  if (result.length !== expected) throw new RangeError(`it has ${result.length} bytes and promised ${expected}`);
  return result;
}
