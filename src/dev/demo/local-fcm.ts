import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { FcmCredential } from '../../senders/fcm-credential.ts';
import { selfSigned } from '../push-service/certificate.ts';
import { DeliveriesSeen } from './deliveries-seen.ts';

/**
 * A receiver on 127.0.0.1 that speaks the part of FCM's HTTP v1 API which the sender uses: Google's service cannot be had on a machine, and the demo
 * must not need an account. It takes a message for a token it has given out, answers 404 `UNREGISTERED` for one whose app is gone, and checks
 * bearer token, path and shape, so that the sender is the real one to the last byte.
 */
export interface LocalFcm {
  readonly endpoint: string;
  /** PEM of its authority. */
  readonly ca: string;
  readonly projectId: string;
  readonly credential: FcmCredential;
  /** A new registration token; a dead one is answered with `UNREGISTERED`. */
  register(options: { readonly dead: boolean }): string;
  readonly duplicates: number;
  close(): Promise<void>;
}

const PROJECT = 'lull-local';
const MAX_BODY_BYTES = 64 * 1024;

export async function startLocalFcm(): Promise<LocalFcm> {
  const { cert, key } = selfSigned(['127.0.0.1']);
  const bearer = randomBytes(16).toString('hex');
  const tokens = new Map<string, { readonly dead: boolean }>();
  const seen = new DeliveriesSeen();
  let accepted = 0;

  const server = createServer({ cert, key }, (request, response) => {
    answer(request).then(
      ([status, body]) => send(response, status, body),
      (error: unknown) => send(response, 400, fcmError(400, 'INVALID_ARGUMENT', error instanceof Error ? error.message : String(error))),
    );
  });

  async function answer(request: IncomingMessage): Promise<[number, object]> {
    if (request.method !== 'POST' || request.url !== `/v1/projects/${PROJECT}/messages:send`)
      return [404, { error: { code: 404, message: 'no such method', status: 'NOT_FOUND' } }];
    if (request.headers.authorization !== `Bearer ${bearer}`)
      return [401, { error: { code: 401, message: 'invalid credentials', status: 'UNAUTHENTICATED' } }];
    const { token, commandId, deviceId } = messageOf(await bodyOf(request));
    seen.posted(commandId, deviceId);
    const registered = tokens.get(token);
    if (registered?.dead !== false) {
      seen.refused(commandId, deviceId);
      return registered === undefined
        ? [400, fcmError(400, 'INVALID_ARGUMENT', 'The registration token is not a valid FCM registration token')]
        : [404, fcmError(404, 'UNREGISTERED', 'Requested entity was not found.')];
    }
    accepted++;
    return [200, { name: `projects/${PROJECT}/messages/${accepted}` }];
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `https://127.0.0.1:${port}`,
    ca: cert,
    projectId: PROJECT,
    credential: { getAccessToken: () => Promise.resolve({ access_token: bearer, expires_in: 3600 }) },
    register({ dead }) {
      const token = `${randomBytes(11).toString('base64url')}:${randomBytes(60).toString('base64url')}`;
      tokens.set(token, { dead });
      return token;
    },
    get duplicates() {
      return seen.duplicates;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function messageOf(body: string): { token: string; commandId: string; deviceId: string } {
  const { message } = JSON.parse(body) as { message?: { token?: unknown; data?: Record<string, unknown> } };
  const [token, commandId, deviceId] = [message?.token, message?.data?.['commandId'], message?.data?.['deviceId']];
  if (typeof token !== 'string' || typeof commandId !== 'string' || typeof deviceId !== 'string')
    throw new Error('a message needs a token, and data with commandId and deviceId');
  return { token, commandId, deviceId };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error(`more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function fcmError(code: number, errorCode: string, message: string): object {
  const status = code === 404 ? 'NOT_FOUND' : 'INVALID_ARGUMENT';
  const details = [{ '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode }];
  return { error: { code, message, status, details } };
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
