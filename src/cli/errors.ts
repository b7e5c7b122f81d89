/** The command line or the configuration is wrong: exit code 2. The message is one line that says what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Something that a person can mend went wrong while running: one clear line, exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
