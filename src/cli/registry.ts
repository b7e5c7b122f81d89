import { createRegistry, type RegistryOptions, type SchemaRegistry } from '../avro/registry.ts';
import { required } from './config.ts';
import type { Config } from './config.ts';

/** How to reach the schema registry; undefined where none is configured. */
export function registryOptions(config: Config): RegistryOptions | undefined {
  const { registry: url, registryUsername: username, registryPassword: password } = config;
  if (url === undefined) return undefined;
  return { url, ...(username !== undefined && password !== undefined ? { auth: { username, password } } : {}) };
}

/** @throws UsageError when none is configured */
export function openRegistry(config: Config): SchemaRegistry {
  return createRegistry({ ...registryOptions(config), url: required(config, 'registry') });
}
