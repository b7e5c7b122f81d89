import { readFileSync } from 'node:fs';
import type { Provider } from '../senders/provider.ts';
import type { VapidKey } from '../senders/vapid.ts';
import type { Config } from './config.ts';
import { UsageError } from './errors.ts';
import type { ProviderName } from './provider-names.ts';

/** @throws UsageError when a setting that the provider needs is missing, or its file is not what it should be */
export async function openProvider(name: ProviderName, config: Config): Promise<Provider> {
  switch (name) {
    case 'fcm':
      return openFcm(config);
    case 'webpush':
      return openWebPush(config);
  }
}

async function openFcm({ fcmCredentialsFile: file }: Config): Promise<Provider> {
  if (file === undefined)
    throw new UsageError('fcm needs the key file of a Google service account: --fcm-credentials-file FILE (or LULL_FCM_CREDENTIALS_FILE)');
  // Each provider's libraries are loaded by its own sender only.
  const [{ FcmProvider }, { fcmServiceAccount }] = await Promise.all([import('../senders/fcm.ts'), import('../senders/fcm-credential.ts')]);
  try {
    return new FcmProvider(await fcmServiceAccount(file));
  } catch (error) {
    throw new UsageError(`--fcm-credentials-file: ${reasonOf(error, file)}`, { cause: error });
  }
}

async function openWebPush({ vapidKeysFile: file, vapidSubject: subject }: Config): Promise<Provider> {
  if (file === undefined || subject === undefined)
    throw new UsageError(
      'webpush needs --vapid-keys-file FILE (JSON {"publicKey", "privateKey"}; `npx web-push generate-vapid-keys --json` makes one) and --vapid-subject mailto:YOU',
    );
  const { WebPushProvider } = await import('../senders/webpush.ts');
  try {
    return new WebPushProvider({ vapid: { subject, keys: vapidKeys(JSON.parse(readFileSync(file, 'utf8'))) } });
  } catch (error) {
    throw new UsageError(`--vapid-keys-file: ${reasonOf(error, file)}`, { cause: error });
  }
}

function vapidKeys(json: unknown): [VapidKey, ...VapidKey[]] {
  const [first, ...older] = (Array.isArray(json) ? json : [json]).map((key: unknown): VapidKey => {
    const { publicKey, privateKey } = (typeof key === 'object' && key !== null ? key : {}) as Partial<Record<string, unknown>>;
    if (typeof publicKey !== 'string' || typeof privateKey !== 'string')
      throw new Error('each key needs "publicKey" and "privateKey", base64url');
    return { publicKey, privateKey };
  });
  if (first === undefined) throw new Error('there is no key in it');
  return [first, ...older];
}

/** Never quotes what is in the file: it is a secret. */
function reasonOf(error: unknown, file: string): string {
  if (error instanceof SyntaxError) return `${file} is not JSON`;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `${file}: there is no such file`;
  return message.includes(file) ? message : `${file}: ${message}`;
}
