/** Addresses of the real broker and registry that this run uses. The global setup has put them into the environment. */
export function bootstrap(): string {
  return required('LULL_BOOTSTRAP');
}

/** The Confluent-compatible API of the schema registry, e.g. `http://127.0.0.1:8081/apis/ccompat/v7`. */
export function registryUrl(): string {
  return required('LULL_REGISTRY');
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set: is test/setup/stack.ts in vitest.config.ts?`);
  return value;
}
