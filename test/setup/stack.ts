/** Addresses given in the environment are used as they are. */
export function setup(): void {
  if (!process.env['LULL_BOOTSTRAP'] || !process.env['LULL_REGISTRY'])
    throw new Error('set LULL_BOOTSTRAP and LULL_REGISTRY (the local stack is not built yet)');
}
