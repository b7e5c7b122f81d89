/** What is wrong with a text as XML, or null: tags that match, attributes in quotes and once, the five entities, nothing that XML cannot carry. */
export function xmlProblem(text: string): string | null {
  if (/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u.test(text)) return 'a character that XML does not have';
  const open: string[] = [];
  let roots = 0;
  let at = 0;
  for (const [tag, closing, name, attributes, empty] of text.matchAll(/<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g)) {
    const from = text.indexOf(tag, at);
    const between = text.slice(at, from);
    if (/[<>]|&(?!(?:amp|lt|gt|quot|apos);)/.test(between + attributes!)) return `before ${tag}: ${between}`;
    if (open.length === 0 && between.trim() !== '') return `text outside: ${between}`;
    at = from + tag.length;
    const names = [...attributes!.matchAll(/([\w:-]+)="/g)].map((match) => match[1]!);
    if (new Set(names).size !== names.length) return `an attribute twice: ${tag}`;
    if (closing === '/') {
      if (open.pop() !== name) return `closes nothing: ${tag}`;
    } else if (empty !== '/') {
      if (open.length === 0) roots++;
      open.push(name!);
    }
  }
  if (text.slice(at).trim() !== '') return `behind the end: ${text.slice(at)}`;
  return open.length === 0 && roots === 1 ? null : `${roots} roots, open: ${open.join(' ')}`;
}
