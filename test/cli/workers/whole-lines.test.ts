import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { wholeLines } from '../../../src/cli/workers/whole-lines.ts';

it('lines are whole however they come, and only a newline ends one', async () => {
  const stream = new PassThrough();
  const lines: string[] = [];
  wholeLines(stream, (line) => lines.push(line));
  const bytes = Buffer.from('{"msg":"a\u2028b"}\n\n{"msg":"ä"}\nhalf');
  for (const byte of bytes) stream.write(Buffer.of(byte));
  stream.end();
  await new Promise((resolve) => stream.once('close', resolve));
  expect(lines).toEqual(['{"msg":"a\u2028b"}', '', '{"msg":"ä"}', 'half']);
});
