import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from '../../src/avro/records.ts';
import { commandHeaders } from '../../src/avro/dispatch-headers.ts';
import type { SendCommand } from '../../src/core/output.ts';
import { partitionFor } from '../../src/log/partitioner.ts';
import { startSender, type SenderConfig, type SenderProcess } from '../setup/sender-process.ts';
import { Deployment } from './deployment.ts';
import { OracleError, type FaultRun } from './row.ts';

export type ProviderConfig = SenderConfig['provider'];

const FINAL_WITHIN_MS = 120_000;
const POLL_MS = 250;

/** Senders of a deployment, each a process of its own: `lull send` with a provider on this machine. */
export class Senders {
  readonly deployment: Deployment;
  readonly #started: SenderProcess[] = [];
  #crashes = 0;

  private constructor(deployment: Deployment) {
    this.deployment = deployment;
  }

  /** Of a deployment of their own. */
  static async open(run: FaultRun, partitions: number): Promise<Senders> {
    const { bootstrap, direct, replicationFactor } = run.cluster;
    const deployment = new Deployment({ bootstrap, direct, replicationFactor, partitions, registryUrl: run.registryUrl });
    run.cleanup(() => deployment.close());
    await deployment.create();
    return Senders.of(run, deployment);
  }

  /** Beside the processors of a deployment. */
  static of(run: Pick<FaultRun, 'cleanup'>, deployment: Deployment): Senders {
    const senders = new Senders(deployment);
    // Before the deployment's topics are deleted under them.
    run.cleanup(async () => {
      for (const sender of senders.#started) {
        sender.thaw();
        await sender.kill();
      }
    });
    return senders;
  }

  /** Of those killed, and of whatever else `cutOff` was told of. */
  get crashes(): number {
    return this.#crashes + this.#started.filter((sender) => sender.ended() === 'SIGKILL').length;
  }

  /** A fault that takes a sender's commit away as a crash does: a freeze past its session, brokers gone. */
  cutOff(): void {
    this.#crashes++;
  }

  start(provider: ProviderConfig, stateFolder: string, env: Readonly<Record<string, string>> = {}): SenderProcess {
    const { prefix, bootstrap, registryUrl } = this.deployment;
    const sender = startSender({ prefix, stateFolder, provider }, { LULL_BOOTSTRAP: bootstrap, LULL_REGISTRY: registryUrl, ...env });
    this.#started.push(sender);
    return sender;
  }

  async dispatch(commands: readonly SendCommand[]): Promise<void> {
    const { log, topics, codec, partitions } = this.deployment;
    await log.append(
      commands.map((command) => {
        const key = Buffer.from(command.userId);
        const value = codec.encode('lull.v1.SendCommand', command);
        return { topic: topics.dispatch, partition: partitionFor(key, partitions), key, value, headers: commandHeaders(command) };
      }),
    );
  }

  async outcomes(): Promise<readonly Outcome[]> {
    const { codec, topics } = this.deployment;
    const records = await this.deployment.records(topics.outcomes);
    return records.flatMap(({ value }) => {
      const decoded = codec.decode(value!);
      return decoded.record === 'lull.v1.Outcome' ? [decoded.value] : [];
    });
  }

  /**
   * Waits until so many outcomes are final, and returns how long that took.
   * @throws OracleError where they do not come
   */
  async untilFinal(count: number): Promise<number> {
    const began = performance.now();
    for (;;) {
      const got = (await this.outcomes()).filter(({ final }) => final).length;
      if (got >= count) return Math.round(performance.now() - began);
      if (this.#started.every((sender) => sender.ended() !== undefined))
        throw new OracleError('O3', `no sender is left, and ${got} of ${count} outcomes are final: ${this.lastLines()}`);
      if (performance.now() - began > FINAL_WITHIN_MS)
        throw new OracleError('O3', `${got} of ${count} outcomes are final after ${FINAL_WITHIN_MS / 1000} s: ${this.lastLines()}`);
      await sleep(POLL_MS);
    }
  }

  /** What the youngest said last. */
  lastLines(): string {
    return this.#started.at(-1)?.stderr().trim().split('\n').slice(-6).join('\n') ?? '';
  }
}
