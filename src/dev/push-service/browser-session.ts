import { randomBytes } from 'node:crypto';
import type { Counts } from './counts.ts';
import type { PushMessage, Subscription, Subscriptions } from './subscriptions.ts';

/** A browser, over however many connections: its `uaid` and its subscriptions by channel. */
interface UserAgent {
  readonly uaid: string;
  readonly channels: Map<string, Subscription>;
  send: ((message: object) => void) | null;
}

export interface SessionOptions {
  readonly subscriptions: Subscriptions;
  readonly counts: Counts;
  /** The endpoint's URL for a subscription. */
  readonly endpointOf: (id: string) => string;
  /** A browser confirmed a message: its service worker has had it (code 100), or why not (any other). */
  readonly onAck: (channelId: string, version: string, code: number) => void;
}

const DELIVERED = 100;

/** Speaks autopush's protocol with browsers: hello, register, unregister, notification, ack, and `{}` for a ping. */
export class BrowserSessions {
  readonly #options: SessionOptions;
  readonly #agents = new Map<string, UserAgent>();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get connected(): number {
    return [...this.#agents.values()].filter((agent) => agent.send !== null).length;
  }

  /** One connection. The returned functions take what it says, and its end. */
  connect(send: (message: object) => void): {
    readonly onMessage: (message: Record<string, unknown>) => void;
    readonly onClose: () => void;
  } {
    let agent: UserAgent | undefined;
    return {
      onMessage: (message) => {
        const type = message['messageType'];
        if (type === 'hello') agent = this.#hello(message, send);
        else if (type === 'ping' || Object.keys(message).length === 0) send({});
        else if (agent !== undefined) this.#take(agent, message);
      },
      onClose: () => {
        if (agent?.send === send) agent.send = null;
      },
    };
  }

  #hello(message: Record<string, unknown>, send: (message: object) => void): UserAgent {
    const known = typeof message['uaid'] === 'string' ? this.#agents.get(message['uaid']) : undefined;
    const agent = known ?? { uaid: randomBytes(16).toString('hex'), channels: new Map<string, Subscription>(), send: null };
    agent.send = send;
    this.#agents.set(agent.uaid, agent);
    send({ messageType: 'hello', uaid: agent.uaid, status: 200, use_webpush: true, broadcasts: {} });
    for (const subscription of agent.channels.values()) this.#options.subscriptions.resume(subscription);
    return agent;
  }

  #take(agent: UserAgent, message: Record<string, unknown>): void {
    const { subscriptions, endpointOf } = this.#options;
    const { channelID: channelId, messageType } = message;
    if (messageType === 'ack' && Array.isArray(message['updates'])) {
      for (const update of message['updates'] as unknown[]) this.#ack(agent, update);
      return;
    }
    if (typeof channelId !== 'string') return;
    if (messageType === 'register') {
      // Browsers pad it or not; application servers do not.
      const key = typeof message['key'] === 'string' ? Buffer.from(message['key'], 'base64url').toString('base64url') : null;
      const subscription = subscriptions.add(key, (push) => handOver(agent, channelId, push));
      agent.channels.set(channelId, subscription);
      agent.send?.({ messageType: 'register', channelID: channelId, status: 200, pushEndpoint: endpointOf(subscription.id) });
    } else if (messageType === 'unregister') {
      const subscription = agent.channels.get(channelId);
      if (subscription !== undefined) subscriptions.remove(subscription.id);
      agent.channels.delete(channelId);
      agent.send?.({ messageType: 'unregister', channelID: channelId, status: 200 });
    }
  }

  #ack(agent: UserAgent, update: unknown): void {
    if (typeof update !== 'object' || update === null) return;
    const { channelID: channelId, version, code } = update as Record<string, unknown>;
    if (typeof channelId !== 'string' || typeof version !== 'string') return;
    const subscription = agent.channels.get(channelId);
    if (subscription === undefined || this.#options.subscriptions.confirm(subscription, version) === undefined) return;
    const said = typeof code === 'number' ? code : DELIVERED;
    if (said === DELIVERED) this.#options.counts.delivered();
    this.#options.onAck(channelId, version, said);
  }
}

function handOver(agent: UserAgent, channelID: string, message: PushMessage): boolean {
  if (agent.send === null) return false;
  const { version, body } = message;
  const encrypted = body.length === 0 ? {} : { data: body.toString('base64url'), headers: { encoding: 'aes128gcm' } };
  agent.send({ messageType: 'notification', channelID, version, ...encrypted });
  return true;
}
