import type { Command } from 'commander';

/**
 * One command of `lull`. The list in `commands.ts` is all that is loaded to print the help; the command itself, with what it imports,
 * is loaded when it is called.
 */
export interface CommandEntry {
  readonly name: string;
  /** One line for `lull --help`. */
  readonly summary: string;
  /** Adds description, arguments, options, subcommands and the action. */
  readonly define: () => Promise<(command: Command) => void>;
}
