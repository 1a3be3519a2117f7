import { Command, CommanderError, Option } from 'commander';
import { InternalError, UsageError, UserError } from '../base/errors.ts';
import type { CommandModule, Context } from './command.ts';
import { commands, groups } from './commands.ts';
import { type CommandName, type OptionEntry, type Options, optionTables, type Table } from './options.ts';
import { createProgress, type ProgressStream } from './progress.ts';
import { catchInterruption } from './signals.ts';
import { packageVersion } from './version.ts';

/** Ends a command whose output is out and tells of the failure itself. */
class FailedCommand extends Error {}

export interface Streams {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: ProgressStream;
}

/** Runs a command line (without `node` and the script). Returns the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function runCommandLine(words: readonly string[], streams: Streams): Promise<number> {
  const program = new Command('murad')
    .description('Trains and runs the networks of the MuRAD paper on bone X-rays, on any GPU, through WebGPU.')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
      // A fault is told once, by `tell`.
      outputError: () => {},
    })
    .exitOverride();
  for (const name of Object.keys(commands) as CommandName[]) {
    const [group, own] = name.split(' ') as [string, string?];
    if (own) defineCommand(groupOf(program, group), name, own, streams);
    else defineCommand(program, name, name, streams);
  }
  try {
    await program.parseAsync(words, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof FailedCommand) return 1;
    return tell(error, speaker(words), words.includes('--verbose'), streams);
  }
}

/** The command that a command line names, as far as it is known: `murad weights inspect`, `murad weights`, `murad`. */
function speaker([first = '', second = '']: readonly string[]): string {
  if (`${first} ${second}` in commands) return `murad ${first} ${second}`;
  return first in commands || first in groups ? `murad ${first}` : 'murad';
}

function groupOf(program: Command, name: string): Command {
  const known = program.commands.find((command) => command.name() === name);
  return (
    known ??
    program
      .command(name)
      .description(groups[name] ?? '')
      .helpCommand(false)
  );
}

/** Adds a command to the program or to a group, where it is called `word`. */
function defineCommand<N extends CommandName>(parent: Command, name: N, word: string, streams: Streams): void {
  const table: Table = optionTables[name];
  const command = parent.command(word).description(commands[name].summary);
  const positionals: string[] = [];
  for (const [key, entry] of Object.entries(table)) {
    if (entry.kind === 'argument' || entry.kind === 'list') {
      command.argument(entry.kind === 'list' ? `<${entry.argument}...>` : `<${entry.argument}>`, entry.help);
      positionals.push(key);
    } else {
      for (const option of commanderOptions(key, entry)) command.addOption(option);
    }
  }
  command.action(async () => {
    const given = command.processedArgs.map((value, at) => [positionals[at], value]);
    // Commander leaves out a flag that is not given.
    const off = Object.keys(table).flatMap((key) => (table[key]?.kind === 'flag' ? [[key, false]] : []));
    const options = { ...Object.fromEntries(off), ...command.opts(), ...Object.fromEntries(given) } as Options<N>;
    const isGiven = (option: string) => command.getOptionValueSource(option) === 'cli';
    await perform(await commands[name].load(), options, streams, isGiven);
  });
}

/** The table's `imageSize` as commander's `--image-size <PX>`. */
function commanderOptions(key: string, entry: OptionEntry): Option[] {
  const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  if (entry.kind === 'flag') return [new Option(`--${name}`, entry.help)];
  if (entry.kind === 'switch') {
    return [new Option(`--${name}`, entry.help).default(true), new Option(`--no-${name}`, `do not ${entry.help}`)];
  }
  const { argument, help, parser, fallback, mandatory } = entry;
  const option = new Option(`--${name} <${argument}>`, help)
    .makeOptionMandatory(mandatory)
    .argParser((text: string) => {
      const value = parser.parse(text);
      if (value === undefined) throw new UsageError(`--${name} expects ${parser.expects}, got "${text}"`);
      return value;
    });
  // An option such as --no-fuse NAME takes a value of its own: it does not deny another one.
  option.negate = false;
  return [mandatory || fallback === undefined ? option : option.default(fallback)];
}

async function perform<N extends CommandName>(
  module: CommandModule<N>,
  options: Options<N>,
  streams: Streams,
  isGiven: Context['isGiven'],
): Promise<void> {
  const { stdout, stderr } = streams;
  let caught: ReturnType<typeof catchInterruption> | undefined;
  const note = (line: string) => void stderr.write(stderr.isTTY ? `\r\x1b[K${line}\n` : `${line}\n`);
  const context: Context = {
    note,
    isGiven,
    progress: (label, unit, shown) => createProgress(label, unit, stderr, () => performance.now() / 1000, shown),
    interruption: () => {
      caught ??= catchInterruption(note);
      return caught.signal;
    },
  };
  try {
    const { json, text, failed } = await module.run(options, context);
    stdout.write(options.json ? `${JSON.stringify(json)}\n` : text && `${text.trimEnd()}\n`);
    if (failed) throw new FailedCommand();
  } finally {
    caught?.release();
  }
}

/** Writes what went wrong as one line, with the stack where it was asked for. Returns the exit code. */
function tell(error: unknown, speaker: string, verbose: boolean, { stderr }: Streams): 1 | 2 {
  if (error instanceof CommanderError) {
    // Without a command commander has shown the help.
    if (error.code !== 'commander.help') {
      const line = error.message
        .replace(/^error: /, '')
        .replace(/\n/g, ' ')
        .replace(/\.$/, '');
      stderr.write(`${speaker}: ${line}; see ${speaker} --help\n`);
    }
    return 2;
  }
  stderr.write(`${speaker}: ${fault(error)}\n`);
  if (verbose && error instanceof Error) stderr.write(`${error.stack}\n`);
  return error instanceof UsageError ? 2 : 1;
}

function fault(error: unknown): string {
  if (error instanceof UserError) return error.message;
  const message = error instanceof InternalError ? error.message : `internal: ${error}`;
  return `${message} (a bug in murad: please report it with what --verbose shows)`;
}

/** Tells of a fault that no command caught. */
export function tellUncaught(error: unknown, streams: Streams): void {
  tell(error, 'murad', true, streams);
}
