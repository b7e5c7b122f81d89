import { Command, CommanderError, Help } from 'commander';
import type { CommandEntry } from './command.ts';
import { UsageError } from './errors.ts';

export interface ProgramOptions {
  readonly commands: readonly CommandEntry[];
  readonly version: string;
}

/** The command line: global options, and commands that are loaded when they are called. */
export function createProgram({ commands, version }: ProgramOptions): Command {
  const program = new Command('lull')
    .description('Decides, for every user, whether, when and what to push: a stream processor on Kafka.')
    .usage('[options] COMMAND')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print help; also: lull COMMAND --help')
    .helpCommand(false)
    .option('--prefix <name>', 'names topics, groups and transactional ids (default: lull)')
    .option('--bootstrap <host:port>', 'Kafka brokers, comma-separated')
    .option('--registry <url>', "schema registry's Confluent-compatible API")
    .option('--config <file>', 'YAML file of settings; see lull config')
    .configureHelp({
      showGlobalOptions: true,
      // That an option which may be given again is given none is no default to tell.
      optionDescription: (option) =>
        Array.isArray(option.defaultValue) && option.defaultValue.length === 0 ? option.description : new Help().optionDescription(option),
    })
    .configureOutput({ outputError: (text, write) => write(`${saidByUs(text)}\n`) })
    .showHelpAfterError(false)
    .exitOverride()
    .addHelpText(
      'after',
      '\nEvery setting can also be given in the environment (LULL_PREFIX, LULL_BOOTSTRAP, ...) or in a config file;\n`lull config` prints all of them. Exit codes: 0 done, 1 failed, 2 wrong command line or configuration.',
    );

  for (const { name, summary, define } of commands) {
    const command = program.command(name).helpCommand(false).summary(summary).description(summary);
    // Defined when it is about to parse its own arguments, so that `lull --help` loads none of them.
    lazily.set(command, define);
  }
  program.hook('preSubcommand', async (_program, command) => {
    const define = lazily.get(command);
    if (define === undefined) return;
    lazily.delete(command);
    (await define())(command);
  });
  return program;
}

/** Commander's message as one line of ours, with what to do where it suggests nothing. */
function saidByUs(text: string): string {
  const line = text
    .replace(/^error: /, 'lull: ')
    .replace(/\n\(/, ' (')
    .trimEnd();
  return line.includes('(Did you mean') ? line : `${line.replace(/\.$/, '')}; --help says what there is`;
}

const lazily = new WeakMap<Command, CommandEntry['define']>();

/** Exit code of what commander throws: asking for help is fine, all else is a wrong command line. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof UsageError ? 2 : 1;
}
