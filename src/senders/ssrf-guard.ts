import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from './public-address.ts';

/** Push services of the browsers in use. `*.` stands for one or more labels. */
export const PUSH_SERVICE_HOSTS: readonly string[] = [
  'fcm.googleapis.com',
  '*.push.services.mozilla.com',
  '*.push.apple.com',
  '*.notify.windows.com',
];

export interface SsrfGuardOptions {
  /** Exact hosts, or `*.example.com`. Default `PUSH_SERVICE_HOSTS`. */
  readonly allowHosts?: readonly string[];
  /**
   * Development only: one exact origin (`https://127.0.0.1:8443`) that is allowed besides, whatever its address and port. Its certificate is
   * checked against its own CA, which is trusted for nothing else.
   */
  readonly devOrigin?: { readonly origin: string; readonly ca: string } | undefined;
  /** For tests. Default `dns.lookup`. */
  readonly resolve?: (hostname: string) => Promise<readonly LookupAddress[]>;
}

/** Why a URL is refused. Bounded: it becomes a metric label. Never carries the URL, which is a credential. */
export type Refusal = 'malformed' | 'not_https' | 'user_info' | 'ip_literal' | 'port' | 'host_not_allowed';

export type CheckedUrl =
  { readonly ok: true; readonly url: URL; readonly dev: boolean } | { readonly ok: false; readonly refusal: Refusal };

/** Thrown while connecting: the name resolved to an address that is not public. No packet has left. */
export class BlockedAddressError extends Error {
  override readonly name = 'BlockedAddressError';
  readonly code = 'ERR_LULL_BLOCKED_ADDRESS';
}

/**
 * Keeps requests to URLs that a client gave us (Web Push endpoints, later webhooks) on the public internet. Both halves are needed:
 *  - `check` judges the URL, because nothing is looked up for an address literal;
 *  - `lookup` goes into the connecting agent and judges every address at the moment of the connection, so that a name which resolves
 *    differently the second time (rebinding) gains nothing.
 * Redirects must not be followed by the caller: the next URL would come from outside again.
 */
export class SsrfGuard {
  readonly #allow: ReadonlySet<string>;
  readonly #allowSuffixes: readonly string[];
  readonly #devOrigin: string | undefined;
  readonly #resolve: (hostname: string) => Promise<readonly LookupAddress[]>;

  constructor(options: SsrfGuardOptions = {}) {
    const hosts = (options.allowHosts ?? PUSH_SERVICE_HOSTS).map((host) => host.toLowerCase());
    for (const host of hosts)
      if (!/^(\*\.)?([a-z0-9-]+\.)+[a-z0-9-]+$/.test(host))
        throw new Error(`allowed push host "${host}": expected a host name such as fcm.googleapis.com or *.push.apple.com`);
    this.#allow = new Set(hosts.filter((host) => !host.startsWith('*.')));
    this.#allowSuffixes = hosts.filter((host) => host.startsWith('*.')).map((host) => host.slice(1));
    this.#devOrigin = options.devOrigin === undefined ? undefined : exactOrigin(options.devOrigin.origin);
    this.#resolve = options.resolve ?? resolveAll;
  }

  check(text: string): CheckedUrl {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined) return { ok: false, refusal: 'malformed' };
    if (url.protocol !== 'https:') return { ok: false, refusal: 'not_https' };
    if (url.username !== '' || url.password !== '') return { ok: false, refusal: 'user_info' };
    if (this.#devOrigin !== undefined && url.origin === this.#devOrigin) return { ok: true, url, dev: true };
    // The parser has turned decimal, octal and hexadecimal spellings into dotted ones.
    if (isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0) return { ok: false, refusal: 'ip_literal' };
    if (url.port !== '') return { ok: false, refusal: 'port' };
    if (!this.#isAllowed(url.hostname)) return { ok: false, refusal: 'host_not_allowed' };
    return { ok: true, url, dev: false };
  }

  /** For `net.connect` and `tls.connect`. Fails with `BlockedAddressError` when any address of the name is not public. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.#resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (first === undefined) callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '', 0);
        else if (!addresses.every(({ address }) => isPublicAddress(address)))
          callback(new BlockedAddressError(`${hostname} resolves to an address that is not public`), '', 0);
        else if (options.all === true) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), '', 0),
    );
  };

  #isAllowed(hostname: string): boolean {
    return this.#allow.has(hostname) || this.#allowSuffixes.some((suffix) => hostname.endsWith(suffix));
  }
}

function exactOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || (url.origin !== text && `${url.origin}/` !== text))
    throw new Error(`development push origin "${text}": expected exactly one https origin such as https://127.0.0.1:8443`);
  return url.origin;
}

function resolveAll(hostname: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => (error === null ? resolve(addresses) : reject(error)));
  });
}
