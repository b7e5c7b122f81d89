import { setTimeout as sleep } from 'node:timers/promises';
import { IncompatibleSchemaError, PoisonError, RegistryRefusedError, RegistryUnavailableError } from './errors.ts';

export interface RegistryOptions {
  /** Base address of a Confluent-compatible API, e.g. `http://127.0.0.1:8081` or `https://registry/apis/ccompat/v7`. */
  readonly url: string;
  /** HTTP basic authentication. */
  readonly auth?: { readonly username: string; readonly password: string };
  /** Of one request; one that took this long is not repeated. Default 5,000. */
  readonly timeoutMs?: number;
}

/** A schema as the registry has it. */
export interface RegisteredSchema {
  readonly text: string;
  /** Types that it uses and that live under other subjects. */
  readonly references: readonly SchemaReference[];
}

export interface SchemaReference {
  /** As the schema calls the type. */
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** The few calls that Lull makes on a schema registry. */
export interface SchemaRegistry {
  /** Without credentials: for messages. */
  readonly url: string;
  /** undefined where the registry does not know the id. @throws PoisonError for a schema that is not Avro */
  schemaById(id: number): Promise<RegisteredSchema | undefined>;
  /** The same, by the version of a subject. */
  schemaOf(subject: string, version: number): Promise<RegisteredSchema | undefined>;
  /** The id under which a subject has exactly this schema, or undefined. */
  lookup(subject: string, schema: string): Promise<number | undefined>;
  /** Registers, or finds, the schema. @throws IncompatibleSchemaError */
  register(subject: string, schema: string): Promise<number>;
  setCompatibility(subject: string, level: 'FULL_TRANSITIVE'): Promise<void>;
}

/**
 * Every call may throw RegistryUnavailableError (try again later) and RegistryRefusedError (it would be refused again).
 * @throws RegistryRefusedError for an address that is not one
 */
export function createRegistry(options: RegistryOptions): SchemaRegistry {
  return new HttpRegistry(options);
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

const KINDS: Readonly<Record<string, string>> = { JSON: 'JSON Schema', PROTOBUF: 'Protobuf' };

/** @throws PoisonError: what is asked for then would be somebody else's */
function referenceOf(reference: unknown): SchemaReference {
  const { name, subject, version } = (reference ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || typeof subject !== 'string' || typeof version !== 'number')
    throw new PoisonError('unexpected_schema', 'its schema has a reference without a name, a subject or a version');
  return { name, subject, version };
}

/** Lost connections and restarts of the registry pass within these; what lasts longer is the caller's to wait for. */
const RETRY_DELAYS_MS = [100, 400];

class HttpRegistry implements SchemaRegistry {
  readonly url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;

  constructor(options: RegistryOptions) {
    const parsed = URL.parse(options.url);
    if (parsed === null || !/^https?:$/.test(parsed.protocol))
      throw new RegistryRefusedError(
        `"${options.url.replace(/\/\/[^/@]*@/, '//***@')}" is not an http or https address of a schema registry`,
      );
    const auth =
      options.auth ??
      (parsed.username === ''
        ? undefined
        : { username: decodeURIComponent(parsed.username), password: decodeURIComponent(parsed.password) });
    parsed.username = '';
    parsed.password = '';
    this.url = parsed.href.replace(/\/+$/, '');
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#headers = {
      accept: 'application/vnd.schemaregistry.v1+json, application/json',
      'content-type': 'application/vnd.schemaregistry.v1+json',
      ...(auth && { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}` }),
    };
  }

  async schemaById(id: number): Promise<RegisteredSchema | undefined> {
    // Ids are signed in the registry's own code: a larger one cannot be there, and is answered with an error that is not 404.
    if (id > 0x7fffffff) return undefined;
    return this.#schema(`/schemas/ids/${id}`);
  }

  async schemaOf(subject: string, version: number): Promise<RegisteredSchema | undefined> {
    return this.#schema(`/subjects/${encodeURIComponent(subject)}/versions/${version}`);
  }

  async #schema(path: string): Promise<RegisteredSchema | undefined> {
    const { status, body } = await this.#call('GET', path);
    if (status === 404) return undefined;
    const { schema: text, schemaType: kind, references = [] } = body;
    if (typeof text !== 'string') throw this.#refused('GET', path, status, body);
    if (typeof kind === 'string' && kind !== 'AVRO')
      throw new PoisonError('unexpected_schema', `its schema is ${KINDS[kind] ?? kind}, and Lull reads Avro only`);
    // Without any, registries say null, or nothing.
    if (!Array.isArray(references ?? [])) throw this.#refused('GET', path, status, body);
    return { text, references: ((references ?? []) as readonly unknown[]).map(referenceOf) };
  }

  async lookup(subject: string, schema: string): Promise<number | undefined> {
    const path = `/subjects/${encodeURIComponent(subject)}`;
    const { status, body } = await this.#call('POST', path, { schema });
    if (status === 404) return undefined;
    return this.#id('POST', path, status, body);
  }

  async register(subject: string, schema: string): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`;
    const { status, body } = await this.#call('POST', path, { schema });
    if (status === 409)
      throw new IncompatibleSchemaError(
        `schema registry ${this.url}: ${subject}: the schema is not compatible with every registered version of it: ${differences(body['message'])}`,
      );
    return this.#id('POST', path, status, body);
  }

  async setCompatibility(subject: string, level: 'FULL_TRANSITIVE'): Promise<void> {
    const path = `/config/${encodeURIComponent(subject)}`;
    const request = (): Promise<Answer> => this.#call('PUT', path, { compatibility: level });
    let { status, body } = await request();
    // Apicurio: somebody else is setting it for the first time. Once it is there, it can be set again.
    for (const delayMs of RETRY_DELAYS_MS) {
      if (status !== 409) break;
      await sleep(delayMs);
      ({ status, body } = await request());
    }
    if (status !== 200) throw this.#refused('PUT', path, status, body);
  }

  /** Every call is safe to repeat. Resolves with 2xx, 409 and those 404 that the registry itself says; all else is an error. */
  async #call(method: string, path: string, body?: object): Promise<Answer> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#callOnce(method, path, body);
      } catch (error) {
        const delayMs = RETRY_DELAYS_MS[attempt];
        if (!(error instanceof RegistryUnavailableError) || isTimeout(error.cause) || delayMs === undefined) throw error;
        await sleep(delayMs);
      }
    }
  }

  async #callOnce(method: string, path: string, body?: object): Promise<Answer> {
    let status: number;
    let content: string;
    try {
      const response = await fetch(`${this.url}${path}`, {
        method,
        headers: this.#headers,
        ...(body && { body: JSON.stringify(body) }),
        // A registry that redirects gets no credentials at its other address.
        redirect: 'error',
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      status = response.status;
      content = await response.text();
    } catch (error) {
      throw new RegistryUnavailableError(`schema registry ${this.url} cannot be reached: ${innermost(error)}`, { cause: error });
    }
    if (status >= 500 || status === 429 || status === 408)
      throw new RegistryUnavailableError(`schema registry ${this.url} answered ${status} to ${method} ${path}`);
    const parsed = jsonObject(content);
    if (parsed !== undefined && ((status >= 200 && status < 300) || status === 409)) return { status, body: parsed };
    // Not every 404 is about a schema: with a wrong path in the address all of them would be, and every event a dead letter.
    if (status === 404 && parsed !== undefined && typeof parsed['error_code'] === 'number') return { status, body: parsed };
    throw this.#refused(method, path, status, parsed ?? {});
  }

  #id(method: string, path: string, status: number, body: Answer['body']): number {
    if (typeof body['id'] !== 'number') throw this.#refused(method, path, status, body);
    return body['id'];
  }

  #refused(method: string, path: string, status: number, body: Answer['body']): RegistryRefusedError {
    const hint =
      status === 401 || status === 403
        ? 'check its user name and password'
        : status === 404
          ? 'is this the address of its Confluent-compatible API?'
          : text(body['message']);
    return new RegistryRefusedError(`schema registry ${this.url} answered ${status} to ${method} ${path}: ${hint}`);
  }
}

function jsonObject(content: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(content);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.replace(/\s+/g, ' ') : 'no message';
}

/** Apicurio names each difference once per version, behind its own class names; others say it in a sentence. */
function differences(message: unknown): string {
  const line = text(message);
  const listed = /list of diff types: \[(.*)\]/.exec(line)?.[1];
  return listed === undefined ? line.slice(0, 1_000) : [...new Set(listed.split(/, (?=\S+ at |expected|reader )/))].join(', ');
}

/** Of `AbortSignal.timeout`. Whoever waits has waited long enough. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}

/** fetch says only that it failed; why is in the cause. */
function innermost(thrown: unknown): string {
  let error = thrown;
  while (error instanceof Error && error.cause instanceof Error) error = error.cause;
  if (!(error instanceof Error)) return String(error);
  const message = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0].message : error.message;
  return message === '' ? error.name : message;
}
