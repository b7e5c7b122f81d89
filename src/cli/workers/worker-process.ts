import { fork, type ChildProcess } from 'node:child_process';
import { WORKER_INDEX, type Answers, type Checked, type Failure, type FromWorker, type ToWorker } from './messages.ts';
import { WORKER_ENVIRONMENT, WORKER_NODE_FLAGS } from './node-flags.ts';
import { wholeLines } from './whole-lines.ts';

export interface WorkerProcessOptions {
  readonly index: number;
  /** A line that it wrote to stderr, without the newline. */
  readonly onLine: (line: string) => void;
  readonly onChecked: (checked: Checked) => void;
}

export interface WorkerEnd {
  /** `exit code 1` or `SIGKILL`. */
  readonly how: string;
  /** Whether it ended by itself, by no signal. */
  readonly exited: boolean;
  /** What it said before it ended, if anything. */
  readonly failure: Failure | undefined;
  readonly ranMs: number;
}

/** One worker: the same command line again, in a process of its own. */
export class WorkerProcess {
  readonly index: number;
  /** Resolves, never rejects, once it has gone and all that it said has been heard. */
  readonly ended: Promise<WorkerEnd>;
  readonly #child: ChildProcess;
  readonly #asked = new Map<number, (answer: Answers[keyof Answers] | undefined) => void>();
  readonly #beganMs = performance.now();
  #nextId = 0;
  #failure: Failure | undefined;
  #silentSinceMs: number | undefined;

  constructor({ index, onLine, onChecked }: WorkerProcessOptions) {
    this.index = index;
    const [, main = '', ...args] = process.argv;
    this.#child = fork(main, args, {
      env: { ...WORKER_ENVIRONMENT, ...process.env, [WORKER_INDEX]: String(index) },
      execArgv: [...WORKER_NODE_FLAGS, ...process.execArgv],
      // stderr through the parent, which writes whole lines: those of several processes in one pipe would mix.
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      // Metrics may be NaN, which JSON has no word for.
      serialization: 'advanced',
    });
    if (this.#child.stderr !== null) wholeLines(this.#child.stderr, onLine);
    this.#child.on('message', (message) => this.#heard(message as FromWorker, onChecked));
    this.ended = this.#end();
  }

  /** undefined where it does not answer in time. */
  async ask<W extends keyof Answers>(what: W, withinMs: number): Promise<Answers[W] | undefined> {
    const askedMs = performance.now();
    const id = this.#nextId++;
    const answer = await new Promise<Answers[keyof Answers] | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), withinMs);
      this.#asked.set(id, (given) => {
        clearTimeout(timer);
        resolve(given);
      });
      this.#send({ kind: 'ask', id, what });
    });
    this.#asked.delete(id);
    if (answer === undefined) this.#silentSinceMs ??= askedMs;
    // The worker answers what it was asked under this id.
    return answer as Answers[W] | undefined;
  }

  /** How long it has owed an answer; 0 where it owes none. */
  get silentMs(): number {
    return this.#silentSinceMs === undefined ? 0 : performance.now() - this.#silentSinceMs;
  }

  /** Asks it to end gracefully. */
  stop(): void {
    this.#send({ kind: 'stop' });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #heard(message: FromWorker, onChecked: (checked: Checked) => void): void {
    this.#silentSinceMs = undefined;
    switch (message.kind) {
      case 'checked':
        onChecked(message);
        break;
      case 'failed':
        this.#failure = message;
        break;
      case 'answer':
        this.#asked.get(message.id)?.(message.answer);
    }
  }

  #send(message: ToWorker): void {
    // One that cannot be told has ended, or is about to: `ended` says so.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #end(): Promise<WorkerEnd> {
    return new Promise((resolve) => {
      const end = (how: string, exited: boolean): void => {
        for (const answer of this.#asked.values()) answer(undefined);
        resolve({ how, exited, failure: this.#failure, ranMs: performance.now() - this.#beganMs });
      };
      // Not `exit`: the last lines, and its last message, may come after that.
      this.#child.once('close', (code, signal) => end(signal ?? `exit code ${code}`, signal === null));
      this.#child.on('error', (error) => {
        if (this.#child.pid === undefined) end(error.message, false);
      });
    });
  }
}
