import { readFile } from 'node:fs/promises';

/** What firebase-admin calls a `Credential`; a test or another secret store may bring its own. */
export interface FcmCredential {
  /** `expires_in` in seconds. */
  getAccessToken(): Promise<{ readonly access_token: string; readonly expires_in: number }>;
  /** Forgets what the credential itself has cached: FCM refused the token. */
  renew?(): void;
}

/**
 * A service account key file, or application default credentials where there is none.
 * @throws Error with one clear line when the file is not a key
 */
export async function fcmServiceAccount(path: string): Promise<{ readonly credential: FcmCredential; readonly projectId: string }> {
  const projectId = projectIdOf(path, await readFile(path, 'utf8'));
  // Loaded only here: the package is large, and a process without this sender does not need it.
  const { cert } = await import('firebase-admin/app');
  let inner = cert(path);
  const credential: FcmCredential = {
    getAccessToken: () => inner.getAccessToken(),
    renew: () => {
      inner = cert(path);
    },
  };
  return { credential, projectId };
}

function projectIdOf(path: string, text: string): string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's message would quote the file, which is a secret.
    throw new Error(`${path}: not a service account key (it is not JSON)`);
  }
  const projectId = typeof json === 'object' && json !== null && 'project_id' in json ? json.project_id : undefined;
  if (typeof projectId !== 'string' || projectId === '')
    throw new Error(`${path}: not a service account key (no project_id); download one under Project settings, Service accounts`);
  return projectId;
}

const RENEW_BEFORE_MS = 5 * 60_000;
const DEADLINE_MS = 10_000;

/** Why there is no token: `rejected` means that Google refused the credential, which no waiting mends. */
export class AccessTokenError extends Error {
  override readonly name = 'AccessTokenError';
  readonly rejected: boolean;
  constructor(rejected: boolean, cause: unknown) {
    super('no access token', { cause });
    this.rejected = rejected;
  }
}

/** One token for all calls, asked for once however many wait, renewed some minutes before it expires. */
export class AccessToken {
  readonly #credential: FcmCredential;
  readonly #nowMs: () => number;
  #current: { readonly token: string; readonly goodUntilMs: number } | undefined;
  #asking: Promise<string> | undefined;

  constructor(credential: FcmCredential, nowMs: () => number) {
    this.#credential = credential;
    this.#nowMs = nowMs;
  }

  /** @throws AccessTokenError */
  async get(): Promise<string> {
    if (this.#current !== undefined && this.#current.goodUntilMs > this.#nowMs()) return this.#current.token;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** FCM refused this token. Calls that got the same refusal later do not throw the new one away. */
  forget(token: string): void {
    if (this.#current?.token !== token) return;
    this.#current = undefined;
    this.#credential.renew?.();
  }

  async #ask(): Promise<string> {
    let late: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      late = setTimeout(() => reject(new Error(`no token after ${DEADLINE_MS} ms`)), DEADLINE_MS);
    });
    try {
      const { access_token: token, expires_in: seconds } = await Promise.race([this.#credential.getAccessToken(), timeout]);
      const lifeMs = seconds * 1_000;
      this.#current = { token, goodUntilMs: this.#nowMs() + lifeMs - Math.min(RENEW_BEFORE_MS, lifeMs / 2) };
      return token;
    } catch (error) {
      throw new AccessTokenError(isRejection(error), error);
    } finally {
      clearTimeout(late);
    }
  }
}

/** Google's token server answers a bad key with 400 or 401 and a deleted account with 403 or 404. */
function isRejection(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    const status = 'status' in each ? each.status : undefined;
    if (typeof status === 'number') return [400, 401, 403, 404].includes(status);
    if (/invalid_grant|invalid_client|unauthorized_client/.test(each.message)) return true;
  }
  return false;
}
