import { readFileSync } from 'node:fs';
import type { RecordName } from './records.ts';

/** The schemas that Lull writes and reads, as registered: one subject each, named like the record. */
export const SCHEMAS: Readonly<Record<RecordName, string>> = {
  'lull.v1.ProductEvent': load('product-event'),
  'lull.v1.Control': load('control'),
  'lull.v1.SendCommand': load('send-command'),
  'lull.v1.Revocation': load('revocation'),
  'lull.v1.Decision': load('decision'),
  'lull.v1.Outcome': load('outcome'),
  'lull.v1.ItemChange': load('item-change'),
  'lull.v1.ItemInterest': load('item-interest'),
};

export const RECORD_NAMES = Object.keys(SCHEMAS) as readonly RecordName[];

/** `lull.v1.ProductEvent` without what was added later: what schema id 1 means where there is no registry. */
export const FIRST_PRODUCT_EVENT: string = firstFields(SCHEMAS['lull.v1.ProductEvent'], 5);

function load(name: string): string {
  const file = new URL(`../../schemas/${name}.avsc`, import.meta.url);
  return JSON.stringify(JSON.parse(readFileSync(file, 'utf8')));
}

function firstFields(schema: string, count: number): string {
  const record = JSON.parse(schema) as { readonly fields: readonly unknown[] };
  return JSON.stringify({ ...record, fields: record.fields.slice(0, count) });
}
