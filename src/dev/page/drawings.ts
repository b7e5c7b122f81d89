/**
 * The shop's pictures, drawn here: nothing is loaded from anywhere. 64 x 64, one ink, one warm accent, on a soft tile that is readable on
 * light and dark pages alike.
 */
const INK = '#17424d';
const WARM = '#e0764f';
const PALE = '#f4faf9';

const line = `fill="none" stroke="${INK}" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"`;

const SHAPES: Readonly<Record<string, string>> = {
  kettle: `<path d="M20 50h24l4-16c0-9-7-14-16-14s-16 5-16 14z" fill="${WARM}"/><path d="M48 36c5-1 6-5 8-8M22 24c0-9 20-9 20 0" ${line}/><circle cx="32" cy="18" r="2.5" fill="${INK}"/>`,
  mug: `<path d="M18 22h24v22a6 6 0 0 1-6 6H24a6 6 0 0 1-6-6z" fill="${WARM}"/><path d="M42 27h4a6 6 0 0 1 0 13h-4M25 15c-2-3 2-4 0-7M33 15c-2-3 2-4 0-7" ${line}/>`,
  pan: `<circle cx="27" cy="35" r="16" fill="${INK}"/><circle cx="27" cy="35" r="11.5" fill="${WARM}"/><path d="M39 23l13-11" stroke="${INK}" stroke-width="5" stroke-linecap="round"/>`,
  board: `<rect x="18" y="20" width="28" height="34" rx="5" fill="${WARM}"/><path d="M29 20v-6a3 3 0 0 1 6 0v6" ${line}/><path d="M25 30v16M32 34v14M39 29v12" fill="none" stroke="${PALE}" stroke-width="2" stroke-linecap="round"/>`,
  lamp: `<path d="M22 30l8-16h14l8 16z" fill="${WARM}"/><path d="M37 30v22M26 53h22" ${line}/><path d="M18 38l-5 4M21 45l-3 5" fill="none" stroke="${WARM}" stroke-width="2.5" stroke-linecap="round"/>`,
  throw: `<path d="M14 20c12-5 24 5 36 0v24c-12 5-24-5-36 0z" fill="${WARM}"/><path d="M14 28c12-5 24 5 36 0M14 36c12-5 24 5 36 0" fill="none" stroke="${PALE}" stroke-width="2"/><path d="M17 45v5M24 43v6M31 43v7M38 46v5M45 47v5" ${line}/>`,
  vase: `<path d="M27 26h12c-2 6 7 9 7 17 0 6-4 11-13 11s-13-5-13-11c0-8 9-11 7-17z" fill="${WARM}"/><path d="M33 26V10M33 18c5 0 8-3 8-7M33 21c-5 0-8-3-8-7" ${line}/><path d="M28 33c-3 5-4 12-1 18M38 33c3 5 4 12 1 18" fill="none" stroke="${PALE}" stroke-width="2"/>`,
  clock: `<circle cx="32" cy="33" r="20" fill="${WARM}"/><circle cx="32" cy="33" r="15" fill="${PALE}"/><path d="M32 23v10l7 4" ${line}/>`,
  chair: `<path d="M21 12l4 22h20" ${line}/><path d="M24 34h22v5H25z" fill="${WARM}"/><path d="M27 39l16 15M43 39L27 54M22 17h11M23 23h12" ${line}/>`,
  fern: `<path d="M22 38h20l-3 16H25z" fill="${WARM}"/><path d="M32 38c0-10-2-18-12-24 0 12 4 20 12 24zM32 38c0-12 4-18 13-22 1 11-4 18-13 22zM32 38V17" ${line}/>`,
  basket: `<path d="M14 30h36l-5 23H19z" fill="${WARM}"/><path d="M20 30c0-22 24-22 24 0" ${line}/><path d="M16 38h32M18 46h28M26 30l2 23M38 30l-2 23" fill="none" stroke="${PALE}" stroke-width="2"/>`,
  candle: `<rect x="25" y="28" width="14" height="25" rx="3" fill="${WARM}"/><path d="M32 28v-4M18 54h28" ${line}/><path d="M32 9c5 6 4 12 0 13-4-1-5-7 0-13z" fill="${INK}"/>`,
};

/** The picture of a product as an SVG document, or undefined where there is none. */
export function drawingOf(sku: string): string | undefined {
  const shape = Object.hasOwn(SHAPES, sku) ? SHAPES[sku] : undefined;
  if (shape === undefined) return undefined;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="12" fill="#d6e6e6"/>${shape}</svg>`;
}
