/**
 * Records are keyed by what users send (cart ids, attribute names): `constructor` or `__proto__` must find nothing that was not put there.
 * Writing is safe with `{ ...record, [key]: value }`, which always defines an own property.
 */
export function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
