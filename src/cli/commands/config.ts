import type { Command } from 'commander';
import { commandConfig } from '../context.ts';
import type { LoadedConfig } from '../config.ts';
import { environmentName } from '../config.ts';
import { ANY_TEXT } from '../setting.ts';
import type { SettingName } from '../settings.ts';
import { SETTINGS } from '../settings.ts';

const MASK = '********';

export function config(command: Command): void {
  command
    .description(
      'Prints every setting, its value and where it comes from: flag > LULL_* environment > config file > default.\nSecrets are masked. Durations may be written as 10s or 1h30m, sizes as 1MiB.',
    )
    .option('--json', 'one JSON object: {name: {value, source, environment}}')
    .action((options: { json?: true }) => {
      const loaded = commandConfig(command);
      process.stdout.write(options.json ? `${JSON.stringify(asObject(loaded), undefined, 2)}\n` : asText(loaded));
    });
}

function shown({ config, sources }: LoadedConfig): { name: SettingName; value: string | number | boolean | null; source: string }[] {
  return (Object.keys(SETTINGS) as SettingName[]).map((name) => ({
    name,
    value: SETTINGS[name].isSecret && config[name] !== undefined ? MASK : (config[name] ?? null),
    source: sources[name],
  }));
}

function asObject(loaded: LoadedConfig): object {
  return Object.fromEntries(shown(loaded).map(({ name, value, source }) => [name, { value, source, environment: environmentName(name) }]));
}

/** What it is for, and what may be written where that is more than any text. */
function explained(name: SettingName): string {
  const { doc, form } = SETTINGS[name];
  return form === ANY_TEXT ? doc : `${doc}: ${form}`;
}

/** Valid as a config file, where a setting that is not set is a comment. */
function asText(loaded: LoadedConfig): string {
  return shown(loaded)
    .map(({ name, value, source }) => {
      const isPlain = value !== null && value !== MASK;
      return `# ${explained(name)} (${source === 'default' ? 'default' : `from ${source}`}; ${environmentName(name)})\n${isPlain ? '' : '# '}${name}: ${value ?? ''}`.trimEnd();
    })
    .join('\n')
    .concat('\n');
}
