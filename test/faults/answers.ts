import { fcmError } from '../setup/fakes/fake-fcm.ts';
import { reply, type Behaviour } from '../setup/fakes/fake-server.ts';

/** What a provider says to the first POSTs of a pair, one after the other; then it takes it. And what has to come of that. */
export interface Answers {
  readonly first: readonly Behaviour[];
  /** `class code`, for each promise. */
  readonly ends: { readonly at_most_once: string; readonly at_least_once: string };
  /** Default a command's hour. */
  readonly lifeMs?: number;
}

const both = (end: string): Answers['ends'] => ({ at_most_once: end, at_least_once: end });
/** Nobody knows whether it was taken: one promise gives up, the other tries again. */
const doubt = (code: string, ok: string): Answers['ends'] => ({ at_most_once: `unknown ${code}`, at_least_once: ok });
const after = (behaviour: Behaviour, retryAfter: string): Behaviour =>
  behaviour.kind === 'reply' ? { ...behaviour, headers: { ...behaviour.headers, 'retry-after': retryAfter } } : behaviour;
const violation = { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field: 'message.data', description: 'no' }] };
const html = '<html>not here</html>';
export const ok200 = 'ok http_200';
export const ok201 = 'ok http_201';
/** Of a call: silence that is longer ends it. */
export const DEADLINE_MS = 3_000;
/** A network that is bad in the same way for every provider. */
const broken = (ok: string): Readonly<Record<string, Answers>> => ({
  'no answer': { first: [{ kind: 'stall' }], ends: doubt('timeout', ok) },
  'reset behind the request': { first: [{ kind: 'reset' }], ends: doubt('reset', ok) },
  'FIN behind the request': { first: [{ kind: 'fin' }], ends: doubt('reset', ok) },
});

export const FCM: Readonly<Record<string, Answers>> = {
  accepted: { first: [], ends: both(ok200) },
  unregistered: { first: [fcmError(404, 'UNREGISTERED')], ends: both('device unregistered') },
  'bad message': { first: [fcmError(400, 'INVALID_ARGUMENT', 'bad', [violation])], ends: both('drop invalid_argument') },
  'bad token': {
    first: [fcmError(400, 'INVALID_ARGUMENT', 'The registration token is not a valid FCM registration token')],
    ends: both('device malformed_token'),
  },
  'another sender id': { first: [fcmError(403, 'SENDER_ID_MISMATCH')], ends: both('device sender_id_mismatch') },
  quota: { first: [after(fcmError(429, 'QUOTA_EXCEEDED'), '1'), after(reply(429, html), '1')], ends: both(ok200) },
  'quota for an hour, the command for less': {
    first: [after(fcmError(429, 'QUOTA_EXCEEDED'), '3600')],
    ends: both('expired quota_exceeded'),
    lifeMs: 600_000,
  },
  unavailable: { first: [fcmError(503, 'UNAVAILABLE')], ends: doubt('unavailable', ok200) },
  'unavailable, with a date': {
    first: [after(fcmError(503, 'UNAVAILABLE'), new Date(0).toUTCString())],
    ends: doubt('unavailable', ok200),
  },
  internal: { first: [fcmError(500, 'INTERNAL')], ends: doubt('internal', ok200) },
  'another 5xx': { first: [reply(502, html)], ends: doubt('http_502', ok200) },
  'token refused once': { first: [fcmError(401, undefined)], ends: both(ok200) },
  redirect: { first: [reply(302, '', { location: 'https://127.0.0.1:1/' })], ends: both('drop redirect') },
  '200 without a name': { first: [reply(200, html)], ends: doubt('no_name', ok200) },
  '200 without an end': { first: [{ kind: 'endless', status: 200 }], ends: doubt('no_name', ok200) },
  '200 that is cut': { first: [{ kind: 'cut', status: 200, body: '{"name":' }], ends: doubt('no_name', ok200) },
  ...broken(ok200),
};

export const WEB_PUSH: Readonly<Record<string, Answers>> = {
  created: { first: [], ends: both(ok201) },
  'not found': { first: [reply(404)], ends: both('device http_404') },
  gone: { first: [reply(410)], ends: both('device http_410') },
  'too large': { first: [reply(413)], ends: both('drop http_413') },
  'too many': { first: [after(reply(429), '1'), after(reply(429), '1')], ends: both(ok201) },
  'too many for an hour, the command for less': { first: [after(reply(429), '3600')], ends: both('expired http_429'), lifeMs: 600_000 },
  'our key is another': { first: [reply(400, '{"reason":"VapidPkHashMismatch"}')], ends: both('device vapid_key_mismatch') },
  'another sender id': {
    first: [reply(403, 'the key in the authorization header does not correspond to the sender ID')],
    ends: both('device vapid_key_mismatch'),
  },
  'token refused once': { first: [reply(401)], ends: both(ok201) },
  'bad token once': { first: [reply(403, '{"reason":"BadJwtToken"}')], ends: both(ok201) },
  redirect: { first: [reply(301, '', { location: 'https://127.0.0.1:1/' })], ends: both('drop redirect') },
  unavailable: { first: [reply(503)], ends: both(ok201) },
  'another 5xx': { first: [reply(500)], ends: doubt('http_500', ok201) },
  '201 without an end': { first: [{ kind: 'endless', status: 201 }], ends: both(ok201) },
  '201 that is cut': { first: [{ kind: 'cut', status: 201, body: 'x' }], ends: both(ok201) },
  ...broken(ok201),
};

/** Our own fault: the sender stops, nothing is skipped, and all goes out once it is mended. */
export const FCM_HALTS: Readonly<Record<string, { readonly answer: Behaviour; readonly says: string }>> = {
  'forbidden project': { answer: fcmError(403, undefined), says: 'http_403' },
  'token refused twice': { answer: fcmError(401, undefined), says: 'http_401' },
  'no push credentials': { answer: fcmError(401, 'THIRD_PARTY_AUTH_ERROR'), says: 'third_party_auth_error' },
  'another sender id, and nothing that worked': { answer: fcmError(403, 'SENDER_ID_MISMATCH'), says: 'sender_id_mismatch' },
  'not found for everybody': { answer: after(reply(404, html), '1'), says: 'http_404' },
};
