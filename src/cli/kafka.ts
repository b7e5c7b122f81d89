import { readFileSync } from 'node:fs';
import type { KafkaLogOptions } from '../log/kafka/client.ts';
import { required } from './config.ts';
import type { Config } from './config.ts';
import { UsageError } from './errors.ts';

/**
 * How to reach the brokers, as the configuration says; the certificates' files are read here.
 * @throws UsageError when there is no address, or a file cannot be read
 */
export function kafkaLogOptions(config: Config): KafkaLogOptions {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username, kafkaSaslPassword: password } = config;
  return {
    brokers: required(config, 'bootstrap').split(','),
    clientId: config.prefix,
    ...(config.kafkaSsl ? { ssl: tls(config) } : {}),
    ...(mechanism !== undefined && username !== undefined && password !== undefined ? { sasl: { mechanism, username, password } } : {}),
  };
}

/** `true` trusts what the system trusts. */
function tls(config: Config): NonNullable<KafkaLogOptions['ssl']> {
  const files = { ca: 'kafkaSslCaFile', cert: 'kafkaSslCertFile', key: 'kafkaSslKeyFile' } as const;
  const given = Object.entries(files).flatMap(([option, name]) => (config[name] === undefined ? [] : [[option, read(name, config[name])]]));
  return given.length === 0 ? true : (Object.fromEntries(given) as { ca?: string; cert?: string; key?: string });
}

function read(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${name}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
}
