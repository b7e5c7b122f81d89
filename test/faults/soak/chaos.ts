import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../../src/dev/shop/random.ts';
import type { Broker } from '../cluster.ts';
import type { Role, Slot } from './fleet.ts';

/** One fault that was done. */
export interface Done {
  readonly name: string;
  readonly fromS: number;
  readonly untilS: number;
}

export interface ChaosOptions {
  readonly random: Random;
  /** Of the proxy: drawn from as often as messages pass. */
  readonly weather: Random;
  readonly broker: Broker;
  readonly slots: readonly Slot[];
  readonly stateFolder: (slot: Slot) => string;
  /** While it is set, the provider is down. */
  readonly provider: { isDown: boolean };
  /** A sender's commits, or the answers to them, may be lost by this. */
  readonly onSenderCut: () => void;
  readonly nowS: () => number;
  readonly note: (line: string) => void;
}

/** From the end of a fault to the next. */
const PAUSE_MS = [8_000, 18_000] as const;

/** Faults of all kinds, one after the other. Which, when, to whom and for how long comes from the seed. */
export class Chaos {
  readonly done: Done[] = [];
  readonly #options: ChaosOptions;

  constructor(options: ChaosOptions) {
    this.#options = options;
  }

  /** Until the time is over; everybody runs again then. */
  async run(untilS: number): Promise<void> {
    const { random, nowS, slots, note } = this.#options;
    for (;;) {
      const pauseMs = random.int(...PAUSE_MS);
      if (nowS() + pauseMs / 1000 > untilS) {
        await sleep(Math.max(0, (untilS - nowS()) * 1000));
        return;
      }
      await sleep(pauseMs);
      for (const slot of slots) slot.expectAlive();
      const { name, work } = this.#draw();
      note(`${nowS().toFixed(0)} s: ${name}`);
      const fromS = nowS();
      await work();
      this.done.push({ name, fromS, untilS: nowS() });
    }
  }

  #draw(): { readonly name: string; readonly work: () => Promise<void> } {
    const { random, weather, broker, stateFolder, provider, onSenderCut } = this.#options;
    const proxy = broker.proxy!;
    const mortal = this.#pick(random.chance(0.6) ? 'processor' : 'sender', false);
    const anybody = this.#pick(random.chance(0.6) ? 'processor' : 'sender', true);
    const ms = random.int(2_000, 9_000);
    const pauseMs = random.int(200, 3_000);
    const down = random.pick(['stop', 'kill'] as const);
    const direction = random.pick([true, 'to-broker', 'to-client'] as const);
    const wipe = (): Promise<void> => rm(stateFolder(mortal), { recursive: true, force: true });
    const network = (name: string, work: () => Promise<void> | void): readonly [string, () => Promise<void>] => [
      name,
      async () => {
        onSenderCut();
        await work();
      },
    ];
    const [name, work] = random.weighted<readonly [string, () => Promise<void>]>([
      [[`kill ${mortal.name}`, () => mortal.replace('kill', pauseMs)], 5],
      [[`kill ${mortal.name}, and its disk`, () => mortal.replace('kill', pauseMs, wipe)], 2],
      [[`restart ${mortal.name}`, () => mortal.replace('stop', pauseMs)], 3],
      [
        [
          `freeze ${anybody.name}`,
          () => {
            if (anybody.role === 'sender') onSenderCut();
            return anybody.freeze(ms);
          },
        ],
        4,
      ],
      [
        network(`broker: ${down}, start`, async () => {
          await broker[down]();
          await sleep(pauseMs);
          await broker.start();
        }),
        2,
      ],
      [network('cut all connections', () => proxy.cut()), 2],
      [
        network(`nothing gets through ${direction === true ? 'either way' : direction}`, async () => {
          proxy.silence(direction);
          await sleep(ms);
          proxy.silence(false);
          // What was swallowed will never be answered.
          proxy.cut();
        }),
        2,
      ],
      [
        network('bad weather', async () => {
          proxy.weather({ delayMs: 100, jitterMs: 200, resetChance: 0.01, random: () => weather.next() });
          await sleep(ms);
          proxy.weather({});
        }),
        2,
      ],
      [
        [
          'provider down',
          async () => {
            provider.isDown = true;
            await sleep(ms);
            provider.isDown = false;
          },
        ],
        2,
      ],
    ]);
    return { name, work };
  }

  #pick(role: Role, orSteady: boolean): Slot {
    const { random, slots } = this.#options;
    return random.pick(slots.filter((slot) => slot.role === role && (orSteady || !slot.isSteady)));
  }
}
