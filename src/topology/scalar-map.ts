/**
 * Where the characters of a YAML scalar's value stand in the file: the value has lost quotes, escapes, block indentation and folded line ends. Both are
 * walked side by side. A character that cannot be found again (a folding of more than one line end) points at the place reached so far.
 */
export function mapScalar(text: string, start: number, end: number, type: string, value: string): (offset: number) => number {
  const offsets: number[] = [];
  let at = contentStart(text, start, end, type);
  for (const char of value.split('')) {
    at = advance(text, at, end, type, char);
    offsets.push(Math.min(at, end));
    at += widthAt(text, at, type);
  }
  return (offset) => offsets[offset] ?? (offset <= 0 ? start : Math.min(at, end));
}

function contentStart(text: string, start: number, end: number, type: string): number {
  if (type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE') return start + 1;
  if (type !== 'BLOCK_LITERAL' && type !== 'BLOCK_FOLDED') return start;
  const header = text.indexOf('\n', start);
  return header === -1 || header >= end ? start : skipBlank(text, header + 1, end);
}

/** Moves over what is in the file and not in the value: line ends and the indentation behind them. */
function advance(text: string, from: number, end: number, type: string, char: string): number {
  let at = from;
  while (at < end && text[at] === '\r') at++;
  // An escaped line end is nothing at all, with the indentation behind it.
  while (type === 'QUOTE_DOUBLE' && text[at] === '\\' && text[at + 1] === '\n') at = skipBlank(text, at + 2, end);
  if (at >= end || matches(text, at, type, char)) return at;
  if (text[at] === '\n' || text[at] === ' ' || text[at] === '\t') {
    // A folded line end is a space in the value: it stands where the line ends.
    if (char === ' ') return at;
    let next = at;
    while (next < end && /\s/.test(text[next]!)) next++;
    if (matches(text, next, type, char)) return next;
  }
  return from;
}

function matches(text: string, at: number, type: string, char: string): boolean {
  if (type === 'QUOTE_DOUBLE' && text[at] === '\\') return true;
  return text[at] === char;
}

function widthAt(text: string, at: number, type: string): number {
  if (type === 'QUOTE_SINGLE' && text[at] === "'" && text[at + 1] === "'") return 2;
  if (type === 'QUOTE_DOUBLE' && text[at] === '\\') {
    const escape = text[at + 1];
    return escape === 'x' ? 4 : escape === 'u' ? 6 : escape === 'U' ? 10 : 2;
  }
  return 1;
}

function skipBlank(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && (text[at] === ' ' || text[at] === '\t')) at++;
  return at;
}
