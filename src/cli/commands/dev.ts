import type { Command } from 'commander';
import { SHORT_PARAMS } from '../../dev/demo/options.ts';
import { DURATION_FORM, parseDuration } from '../../topology/duration.ts';
import { commandConfig, stopSignal } from '../context.ts';
import { UsageError } from '../errors.ts';
import { setOption } from '../set-option.ts';

interface DevFlags {
  readonly for?: string;
  readonly browser?: true;
  readonly poison?: true;
  readonly seed: string;
  readonly shoppers: string;
  readonly port: string;
  readonly set: readonly string[];
}

export function dev(command: Command): void {
  command
    .description(
      'Runs everything on this machine, with a simulated shop, and a page to watch it on: broker and schema registry (those given, else its own on Java 17), ' +
        'a processor, the items, senders and local push services. Ctrl-C stops all of it. Progress goes to stderr.',
    )
    .option('--for <duration>', 'stop the traffic this long after the first event, wait for the end, and print one JSON line to stdout')
    .option('--browser', 'open a Firefox with a prepared profile: real notifications appear on this screen')
    .option('--seed <text>', 'who the shoppers are and what they do', '1')
    .option('--shoppers <n>', 'how many there are, 1 to 5000', '40')
    .option('--port <n>', 'port of the page; 0: the system chooses', '0')
    .option('--poison', 'now and then, a record that nobody can read')
    .addOption(setOption("the shop's", ` (here: ${SHORT_PARAMS.join(', ')})`))
    .option('--log-level <level>', 'debug, info, warn or error (default: warn)')
    .action(async (flags: DevFlags) => {
      const { config, sources } = commandConfig(command);
      const options = {
        forMs: flags.for === undefined ? null : duration('--for', flags.for),
        browser: flags.browser ?? false,
        poison: flags.poison ?? false,
        seed: flags.seed,
        shoppers: wholeNumber('--shoppers', flags.shoppers, 1, 5_000),
        port: wholeNumber('--port', flags.port, 0, 65_535),
        set: flags.set,
      };
      const { runDemo } = await import('../../dev/demo/demo.ts');
      const summary = await runDemo(options, {
        config: { ...config, logLevel: sources.logLevel === 'default' ? 'warn' : config.logLevel },
        isPrefixGiven: sources.prefix !== 'default',
        signal: stopSignal(),
        say: (line) => process.stderr.write(`${line}\n`),
      });
      if (summary !== null) process.stdout.write(`${JSON.stringify(summary)}\n`);
      // Stopped before the end that was asked for: whoever waits for the figures must not take silence for success.
      else if (options.forMs !== null) process.exitCode = 130;
    });
}

function duration(flag: string, text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms === 0) throw new UsageError(`${flag} ${text}: write ${DURATION_FORM}`);
  return ms;
}

function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) throw new UsageError(`${flag} ${text}: write a whole number from ${min} to ${max}`);
  return value;
}
