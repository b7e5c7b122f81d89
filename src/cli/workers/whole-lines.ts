import type { Readable } from 'node:stream';

/** Calls back with each line, without its newline, and at the end with what had none. Only a newline ends a line: JSON may hold all else that `readline` takes for one. */
export function wholeLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}
