import type { Behaviour } from '../setup/fakes/fake-server.ts';

/**
 * What an answer means for another call, by the table of `notes/senders.md` and not by the product:
 * - `accepted`: done, once and for all.
 * - `doubtful`: it may have been taken. Only `at_least_once` calls again.
 * - `again`: provably not taken; another call is right (busy, our own token, our own project).
 * - `refused`: provably not taken, and never will be.
 */
export type Meaning = 'accepted' | 'doubtful' | 'again' | 'refused';

interface Named {
  readonly commandId: string;
  readonly deviceId: string;
}

/** The provider's side of the story: kept by the fake, so that no sender can talk its way out of a duplicate. */
export class CallLedger {
  readonly #calls = new Map<string, Meaning[]>();
  readonly #meaningOf: (behaviour: Behaviour) => Meaning;

  constructor(meaningOf: (behaviour: Behaviour) => Meaning) {
    this.#meaningOf = meaningOf;
  }

  /** Wraps what a fake does, and writes it down. */
  keep<Post extends Named>(answer: (post: Post, nth: number) => Behaviour): (post: Post, nth: number) => Behaviour {
    return (post, nth) => {
      const behaviour = answer(post, nth);
      const pair = `${post.commandId}/${post.deviceId}`;
      const meanings = this.#calls.get(pair) ?? [];
      this.#calls.set(pair, meanings);
      const at = meanings.push('doubtful') - 1;
      void this.#settle(behaviour).then((meaning) => (meanings[at] = meaning));
      return behaviour;
    };
  }

  /** By `commandId/deviceId`. */
  get calls(): ReadonlyMap<string, readonly Meaning[]> {
    return this.#calls;
  }

  async #settle(behaviour: Behaviour): Promise<Meaning> {
    return behaviour.kind === 'hold' ? this.#settle(await behaviour.until) : this.#meaningOf(behaviour);
  }
}

/** FCM: what it took has a name. A device that is gone, or a message that is wrong, is so for good. */
export function fcmMeaning(behaviour: Behaviour): Meaning {
  if (behaviour.kind !== 'reply') return 'doubtful';
  const { status, body = '' } = behaviour;
  if (status < 300) return body.includes('"name"') ? 'accepted' : 'doubtful';
  if (status >= 500) return 'doubtful';
  if ([401, 429].includes(status)) return 'again';
  // Ours to mend, unless the answer says that it is about this device.
  if (status === 404) return body.includes('UNREGISTERED') ? 'refused' : 'again';
  return status === 403 ? 'again' : 'refused';
}

/** A push service has said all with the status, whatever becomes of the rest. */
export function webPushMeaning(behaviour: Behaviour): Meaning {
  if (!('status' in behaviour)) return 'doubtful';
  const { status } = behaviour;
  if (status < 300) return 'accepted';
  if ([401, 403, 429, 503].includes(status)) return 'again';
  return status >= 500 ? 'doubtful' : 'refused';
}
