import { readFileSync } from 'node:fs';
import { LineCounter, isMap, isScalar, parseDocument } from 'yaml';
import type { Node, Pair } from 'yaml';
import { didYouMean } from '../topology/suggest.ts';
import { UsageError } from './errors.ts';
import type { Setting } from './setting.ts';
import { SETTINGS } from './settings.ts';
import type { Config, SettingName } from './settings.ts';

export type { Config, SettingName } from './settings.ts';

/** Where a value was taken from. */
export type Source = 'flag' | 'environment' | 'file' | 'default';

export interface LoadedConfig {
  readonly config: Config;
  readonly sources: Readonly<Record<SettingName, Source>>;
}

export interface ConfigInput {
  /** As given on the command line; what is not a setting's name is not looked at. */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: NodeJS.ProcessEnv;
  /** Path of a YAML file. Default `LULL_CONFIG`, else none. */
  readonly file?: string | undefined;
}

const NAMES = Object.keys(SETTINGS) as SettingName[];

/**
 * Compiles the configuration: flag > `LULL_*` environment > config file > default. Frozen.
 * @throws UsageError with a line for each mistake, all at once
 */
export function loadConfig({ flags = {}, env = process.env, file = env['LULL_CONFIG'] || undefined }: ConfigInput = {}): LoadedConfig {
  const problems: string[] = [];
  const fromFile = file === undefined ? new Map<string, Given>() : readConfigFile(file, problems);
  const config: Partial<Record<SettingName, unknown>> = {};
  const sources: Partial<Record<SettingName, Source>> = {};
  for (const name of NAMES) {
    const setting: Setting<unknown> = SETTINGS[name];
    const given = find(name, setting, flags, env, fromFile, problems);
    const value = given && setting.parse(given.text);
    if (given && value === undefined)
      problems.push(`${given.where}: ${setting.isSecret ? 'the value' : `'${given.text}'`} is not ${setting.form}`);
    config[name] = given ? value : setting.default;
    sources[name] = given?.source ?? 'default';
  }
  problems.push(...inconsistencies(config as Config));
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return Object.freeze({ config: Object.freeze(config as Config), sources: Object.freeze(sources as Record<SettingName, Source>) });
}

/** `kafkaSaslMechanism` is `LULL_KAFKA_SASL_MECHANISM`. */
export function environmentName(name: string): string {
  return `LULL_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** Where a command cannot do without. */
export function required<K extends 'bootstrap' | 'registry'>(config: Config, name: K): NonNullable<Config[K]> {
  const value = config[name];
  if (value === undefined)
    throw new UsageError(
      `no ${name} given: use --${name} ${SETTINGS[name].form}, ${environmentName(name)}, or \`${name}:\` in the config file`,
    );
  return value;
}

/** Kafka's TLS and login as they are given are half a pair, or mean nothing, without the other. */
function inconsistencies(config: Config): string[] {
  const problems: string[] = [];
  if ((config.kafkaSslCertFile === undefined) !== (config.kafkaSslKeyFile === undefined))
    problems.push('kafkaSslCertFile and kafkaSslKeyFile go together: only one is set');
  if (!config.kafkaSsl && (config.kafkaSslCaFile ?? config.kafkaSslCertFile) !== undefined)
    problems.push('kafkaSslCaFile or kafkaSslCertFile is set, but kafkaSsl is false: set kafkaSsl to true');
  const sasl = [config.kafkaSaslMechanism, config.kafkaSaslUsername, config.kafkaSaslPassword].filter(
    (value) => value !== undefined,
  ).length;
  if (sasl !== 0 && sasl !== 3)
    problems.push('kafkaSaslMechanism, kafkaSaslUsername and kafkaSaslPassword go together: some are set, some are not');
  if ((config.registryUsername === undefined) !== (config.registryPassword === undefined))
    problems.push('registryUsername and registryPassword go together: only one is set');
  return problems;
}

interface Given {
  readonly text: string;
  readonly source: Source;
  /** `--http-port`, `LULL_HTTP_PORT` or `lull.yaml:3`. */
  readonly where: string;
}

function find(
  name: SettingName,
  setting: Setting<unknown>,
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
  fromFile: ReadonlyMap<string, Given>,
  problems: string[],
): Given | undefined {
  const variable = environmentName(name);
  if (!setting.isSecret) {
    const given = flags[name];
    if (typeof given === 'string' || typeof given === 'number' || typeof given === 'boolean')
      return { text: String(given), source: 'flag', where: `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}` };
  }
  const fromEnv = env[variable];
  if (fromEnv) return { text: fromEnv, source: 'environment', where: variable };
  if (!setting.isSecret) return fromFile.get(name);

  // A secret's file, as orchestrators mount it: the path may be anywhere, the content is taken without the newline at its end.
  const path = env[`${variable}_FILE`] ? { text: env[`${variable}_FILE`]!, where: `${variable}_FILE` } : fromFile.get(`${name}File`);
  if (path === undefined) return undefined;
  const content = readText(path.text, path.where, problems)?.replace(/\r?\n$/, '');
  return content === undefined ? undefined : { text: content, source: 'file', where: path.text };
}

function readText(path: string, where: string, problems: string[]): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    problems.push(`${where}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
    return undefined;
  }
}

/** A flat YAML map of setting names; a secret is named by the file it is in (`kafkaSaslPasswordFile`). */
function readConfigFile(file: string, problems: string[]): Map<string, Given> {
  const given = new Map<string, Given>();
  const content = readText(file, 'config file', problems);
  if (content === undefined) return given;
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines });
  for (const error of document.errors) {
    const { line, col } = lines.linePos(error.pos[0]);
    problems.push(`${file}:${line}:${col}: ${error.message.split('\n')[0]!.replace(/ at line \d+.*$/, '')}`);
  }
  if (document.errors.length > 0 || document.contents === null) return given;
  if (!isMap(document.contents)) {
    problems.push(`${file}:1: a map of settings is expected, e.g. \`prefix: lull\``);
    return given;
  }
  const known = NAMES.map((name) => (SETTINGS[name].isSecret ? `${name}File` : name));
  for (const { key, value } of document.contents.items as Pair<Node, Node | null>[]) {
    const name = isScalar(key) ? String(key.value) : String(key);
    const { line, col } = lines.linePos(isScalar(key) ? (key.range?.[0] ?? 0) : 0);
    const where = `${file}:${line}:${col}`;
    if (name in SETTINGS && SETTINGS[name as SettingName].isSecret)
      problems.push(
        `${where}: ${name} is a secret: put it into a file of its own and name that with ${name}File, or use ${environmentName(name)}`,
      );
    else if (!known.includes(name))
      problems.push([`${where}: unknown setting ${name}`, didYouMean(name, known)].filter(Boolean).join(', '));
    else if (!isScalar(value) || value.source === undefined || value.value === null) problems.push(`${where}: ${name} needs a value`);
    // The text as it is written: `1e3` and `0x10` are not what a person means by a port.
    else given.set(name, { text: value.source, source: 'file', where });
  }
  return given;
}
