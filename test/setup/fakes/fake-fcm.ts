import { reply, startFakeServer, type Behaviour, type FakePost } from './fake-server.ts';
import type { FcmCredential } from '../../../src/senders/fcm-credential.ts';

export interface FcmPost {
  readonly commandId: string;
  readonly deviceId: string;
  readonly token: string;
  readonly message: Readonly<Record<string, unknown>>;
  readonly authorization: string | undefined;
  readonly path: string;
}

export interface FakeFcm {
  readonly endpoint: string;
  readonly ca: string;
  readonly projectId: string;
  readonly credential: FcmCredential;
  /** Every POST, in order. */
  readonly posts: readonly FcmPost[];
  /** POSTs per `commandId/deviceId`: the duplicate oracle. */
  counts(): ReadonlyMap<string, number>;
  /** How many access tokens were asked for. */
  tokens(): number;
  stop(): Promise<void>;
}

/** The error body of FCM's HTTP v1 API. */
export function fcmError(status: number, errorCode: string | undefined, message = 'refused', more: readonly object[] = []): Behaviour {
  const details = [
    ...(errorCode === undefined ? [] : [{ '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode }]),
    ...more,
  ];
  return reply(status, JSON.stringify({ error: { code: status, message, status: 'SOME_STATUS', details } }));
}

export const fcmAccepted = (name = 'projects/demo/messages/1'): Behaviour => reply(200, JSON.stringify({ name }));

/** FCM on a local TLS port. `answer` says what happens to each POST; by default it is accepted. */
export async function startFakeFcm(answer: (post: FcmPost, nth: number) => Behaviour = () => fcmAccepted()): Promise<FakeFcm> {
  const posts: FcmPost[] = [];
  const counts = new Map<string, number>();
  let tokens = 0;
  const server = await startFakeServer((raw) => {
    const post = parse(raw);
    posts.push(post);
    const nth = (counts.get(pair(post)) ?? 0) + 1;
    counts.set(pair(post), nth);
    return answer(post, nth);
  });
  return {
    endpoint: server.origin,
    ca: server.ca,
    projectId: 'demo',
    credential: { getAccessToken: async () => ({ access_token: `token-${++tokens}`, expires_in: 3_600 }) },
    posts,
    counts: () => counts,
    tokens: () => tokens,
    stop: () => server.stop(),
  };
}

const pair = (post: FcmPost): string => `${post.commandId}/${post.deviceId}`;

function parse(raw: FakePost): FcmPost {
  const { message } = JSON.parse(raw.body.toString('utf8')) as { message: Record<string, unknown> };
  const data = message['data'] as Record<string, string>;
  return {
    commandId: data['commandId'] ?? '',
    deviceId: data['deviceId'] ?? '',
    token: String(message['token'] ?? message['fid']),
    message,
    authorization: raw.headers.authorization,
    path: raw.path,
  };
}
