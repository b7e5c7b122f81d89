/** Whether a value of a scenario is of a type of the catalogue. */
export function fits(value: string | number | boolean, type: string): boolean {
  switch (type) {
    case 'long':
    case 'time':
      return Number.isSafeInteger(value);
    case 'double':
      return typeof value === 'number';
    default:
      return typeof value === type;
  }
}
