/**
 * How wide a text will be, without a font at hand: by classes of characters, on the wide side of what system fonts do. In em.
 */
export function textWidth(text: string, size: number, isBold = false): number {
  let em = 0;
  for (const character of text) em += widthOf(character);
  return em * size * (isBold ? 1.07 : 1);
}

function widthOf(character: string): number {
  if (/[\p{M}\p{Cf}]/u.test(character)) return 0;
  if (/\p{Extended_Pictographic}/u.test(character) && character > '\u{2000}') return 1.3;
  // Han, Kana, Hangul and full-width forms fill the square.
  if (
    /[\u{1100}-\u{115f}\u{2e80}-\u{a4cf}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe4f}\u{ff00}-\u{ff60}\u{20000}-\u{3ffff}]/u.test(
      character,
    )
  )
    return 1;
  if ("ijlI|.,:;!'’‘".includes(character)) return 0.33;
  if ('ftr()[]{}/\\- '.includes(character)) return 0.41;
  if ('MW@%—'.includes(character)) return 1.04;
  if ('mw≥≤≠'.includes(character)) return 0.92;
  if (/\p{Lu}/u.test(character)) return 0.7;
  return 0.61;
}

/** Lines no wider than asked for. A word that is wider is broken, at best behind a sign that names are joined with. */
export function wrap(text: string, width: number, size: number, isBold = false): string[] {
  const fits = (line: string): boolean => textWidth(line, size, isBold) <= width;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (fits(longer)) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    const pieces = fits(word) ? [word] : broken(word, fits);
    lines.push(...pieces.slice(0, -1));
    line = pieces.at(-1)!;
  }
  return [...lines, line];
}

/** What fits, with an ellipsis where something is left out. */
export function cut(text: string, width: number, size: number): string {
  if (textWidth(text, size) <= width) return text;
  let kept = charactersOf(text);
  while (kept.length > 0 && textWidth(`${kept.join('')}…`, size) > width) kept = kept.slice(0, -1);
  return `${kept.join('')}…`;
}

/** As many lines as `wrap` makes, and about equally long: a heading does not leave one word alone. */
export function balanced(text: string, width: number, size: number, isBold = false): string[] {
  const lines = wrap(text, width, size, isBold);
  if (lines.length === 1) return lines;
  let best = lines;
  for (let narrower = width - size; narrower > width / 2; narrower -= size) {
    const tried = wrap(text, narrower, size, isBold);
    // A word that has to be broken for it is not worth it.
    if (tried.length > lines.length || tried.join(' ') !== lines.join(' ')) break;
    best = tried;
  }
  return best;
}

function broken(word: string, fits: (line: string) => boolean): string[] {
  const pieces: string[] = [];
  let rest = charactersOf(word);
  while (!fits(rest.join(''))) {
    let length = 1;
    while (length < rest.length && fits(rest.slice(0, length + 1).join(''))) length++;
    const joint = rest.slice(0, length).findLastIndex((character) => '_-./,'.includes(character)) + 1;
    const cut = joint > length / 3 ? joint : length;
    pieces.push(rest.slice(0, cut).join(''));
    rest = rest.slice(cut);
    if (rest.length === 0) return pieces;
  }
  return [...pieces, rest.join('')];
}

const SEGMENTER = new Intl.Segmenter('en');

/** As a reader counts them: an emoji of several parts is not taken apart. */
function charactersOf(text: string): string[] {
  return Array.from(SEGMENTER.segment(text), ({ segment }) => segment);
}
