/** What the simulated shop sells. Prices in euros; the page has a drawing for each sku (`page/assets/products.svg`). */
export interface Product {
  readonly sku: string;
  readonly name: string;
  readonly price: number;
  /** The path of the category page it stands on. */
  readonly shelf: string;
}

export const CURRENCY = 'EUR';

export const PRODUCTS: readonly Product[] = [
  { sku: 'kettle', name: 'Enamel kettle', price: 39, shelf: '/kitchen' },
  { sku: 'mug', name: 'Stoneware mug', price: 14.5, shelf: '/kitchen' },
  { sku: 'pan', name: 'Cast-iron pan', price: 58, shelf: '/kitchen' },
  { sku: 'board', name: 'Oak chopping board', price: 42, shelf: '/kitchen' },
  { sku: 'lamp', name: 'Reading lamp', price: 64, shelf: '/living' },
  { sku: 'throw', name: 'Wool throw', price: 79, shelf: '/living' },
  { sku: 'vase', name: 'Ribbed vase', price: 28, shelf: '/living' },
  { sku: 'clock', name: 'Wall clock', price: 55, shelf: '/living' },
  { sku: 'chair', name: 'Folding chair', price: 89, shelf: '/garden' },
  { sku: 'fern', name: 'Fern in a pot', price: 24, shelf: '/garden' },
  { sku: 'basket', name: 'Willow basket', price: 34, shelf: '/garden' },
  { sku: 'candle', name: 'Beeswax candle', price: 12, shelf: '/living' },
];
