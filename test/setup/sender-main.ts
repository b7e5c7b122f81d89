/**
 * `lull send` but for the one thing that it does not offer: a provider on this machine. Its one argument is a `SenderConfig` as JSON; settings come from the
 * environment.
 */
import { loadConfig } from '../../src/cli/config.ts';
import { serviceOf } from '../../src/cli/services/sender.ts';
import { work } from '../../src/cli/work.ts';
import { FcmProvider } from '../../src/senders/fcm.ts';
import type { Provider } from '../../src/senders/provider.ts';
import { WebPushProvider } from '../../src/senders/webpush.ts';
import type { SenderConfig } from './sender-process.ts';

const { prefix, stateFolder, provider } = JSON.parse(process.argv[2] ?? '') as SenderConfig;
const { config } = loadConfig({ flags: { prefix, stateFolder } });
try {
  await work(config, serviceOf(config, open(provider), { firstMs: 200, ambiguousFirstMs: 500 }), undefined);
} catch {
  // Logged by `work`.
  process.exit(1);
}
process.exit(0);

function open(given: SenderConfig['provider']): Provider {
  if (given.kind === 'fcm')
    return new FcmProvider({ ...given, credential: { getAccessToken: async () => ({ access_token: 'token', expires_in: 3_600 }) } });
  const { vapid, devOrigin, addresses, deadlineMs } = given;
  const resolve = async (name: string): Promise<{ address: string; family: number }[]> =>
    (addresses?.[name] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  return new WebPushProvider({
    vapid,
    guard: { devOrigin, ...(addresses === undefined ? {} : { resolve }) },
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
}
