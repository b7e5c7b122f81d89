import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyReply } from 'fastify';
import type { Changes, PersonHistory } from '../tally/view.ts';
import { drawingOf } from './drawings.ts';
import { Streams } from './streams.ts';
import { worded } from './words.ts';

/** Where the page gets what it shows; the tally is one. */
export interface PageSource {
  snapshot(): Changes;
  takeChanges(): Changes;
  history(userId: string): PersonHistory | undefined;
}

/** Lets a prepared browser become a device of one of the shoppers. */
export interface Receiving {
  /** The sender's public VAPID key, base64url. */
  readonly vapidPublicKey: string;
  /** Whether a browser is connected to the local push service. Before it is, subscribing in a page hangs. */
  isBrowserThere(): boolean;
  /**
   * Tells the timeline about the browser's subscription.
   * @throws Refused where it is not one of the local push service
   */
  register(subscription: unknown): Promise<{ readonly userId: string; readonly name: string }>;
}

/** What a page sent and cannot be used; its message is shown there. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

export interface PageOptions {
  readonly source: PageSource;
  /** Default 0: one that the system gives. */
  readonly port?: number;
  /** Session gap of the topology: the width of the lanes' time. */
  readonly gapMs: number;
  /** For the head of the page: metrics, health. */
  readonly links: readonly { readonly label: string; readonly href: string }[];
  /** One sentence for the foot: what is real here and what is not. */
  readonly about: string;
  readonly receiving?: Receiving;
}

export interface Page {
  readonly url: string;
  /** Tells every open page that this is the end, then closes. */
  close(): Promise<void>;
}

const ASSETS = new URL('./assets/', import.meta.url);
const EVERY_MS = 250;
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * The demo's page, on 127.0.0.1 only. Everything it loads comes from here, and the policy says so. A request under another host name is refused: a web
 * page elsewhere could point its own name at 127.0.0.1.
 * @throws Error with one line when the port cannot be had
 */
export async function servePage(options: PageOptions): Promise<Page> {
  const assets = await loadAssets();
  const app = Fastify({ bodyLimit: 16 * 1024, forceCloseConnections: true });
  const streams = new Streams();

  app.addHook('onRequest', async (request, reply) => {
    if (!isLocal(request.headers.host)) return reply.code(421).send({ error: 'this page is served for 127.0.0.1' });
    void reply.headers({
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
  });
  // Fastify's own answer to an error repeats the error: here it is one line, and only of what a page may know.
  app.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) =>
    error instanceof Refused
      ? reply.code(400).send({ error: error.message })
      : reply
          .code(error.statusCode ?? 500)
          .send({ error: error.statusCode === undefined ? 'Lull could not do that; its log says why' : error.message }),
  );

  const asset = async (reply: FastifyReply, name: string): Promise<FastifyReply> => {
    const body = assets.get(name);
    return body === undefined
      ? reply.code(404).send({ error: 'there is no such file' })
      : reply.type(TYPES[path.extname(name)]!).send(body);
  };
  app.get('/', async (_request, reply) => asset(reply, 'index.html'));
  app.get('/sw.js', async (_request, reply) => asset(reply, 'sw.js'));
  app.get<{ Params: { name: string } }>('/assets/:name', async (request, reply) => asset(reply, request.params.name));
  app.get<{ Params: { name: string } }>('/products/:name', async (request, reply) => {
    const drawing = drawingOf(request.params.name.replace(/\.svg$/, ''));
    return drawing === undefined ? reply.code(404).send({ error: 'there is no such product' }) : reply.type(TYPES['.svg']!).send(drawing);
  });

  app.get<{ Params: { userId: string } }>('/people/:userId', async (request, reply) => {
    const history = options.source.history(request.params.userId);
    if (history === undefined) return reply.code(404).send({ error: 'nothing is known of this user' });
    return {
      person: worded.person(history.person),
      events: history.events.map(worded.event),
      decisions: history.decisions.map(worded.decision),
      pushes: history.pushes.map(worded.push),
    };
  });

  app.get('/stream', (request, reply) => {
    reply.hijack();
    const first = {
      ...message(options.source.snapshot()),
      gapMs: options.gapMs,
      links: options.links,
      about: options.about,
      receiving: options.receiving === undefined ? null : { vapidPublicKey: options.receiving.vapidPublicKey },
    };
    streams.open(reply.raw, reply.getHeaders(), 'snapshot', first);
    request.raw.on('close', () => streams.drop(reply.raw));
  });

  app.get('/receiving', async () => ({ isBrowserThere: options.receiving?.isBrowserThere() ?? false }));
  app.post<{ Body: { subscription?: unknown } | null }>('/devices', async (request, reply) => {
    if (!isLocal(request.headers.origin?.replace(/^http:\/\//, '')))
      return reply.code(403).send({ error: 'only this page may add a device' });
    if (options.receiving === undefined) return reply.code(404).send({ error: 'this run has no local push service' });
    return options.receiving.register(request.body?.subscription);
  });

  const timer = setInterval(() => {
    const changes = options.source.takeChanges();
    streams.send('changes', message(changes));
  }, EVERY_MS);

  try {
    await app.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  } catch (error) {
    clearInterval(timer);
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Error(`the page cannot be served on port ${options.port ?? 0} of 127.0.0.1 (${code}): choose another, or 0`, {
      cause: error,
    });
  }
  const { port } = app.server.address() as AddressInfo;

  function isLocal(host: string | undefined): boolean {
    return host === `127.0.0.1:${String(port)}` || host === `localhost:${String(port)}`;
  }

  return {
    url: `http://127.0.0.1:${port}/`,
    async close() {
      clearInterval(timer);
      streams.send('changes', message(options.source.takeChanges()));
      streams.end();
      await app.close();
    },
  };
}

function message(changes: Changes): object {
  return {
    nowMs: Date.now(),
    figures: worded.figures(changes.figures),
    people: changes.people.map(worded.person),
    events: changes.events.map(worded.event),
    decisions: changes.decisions.map(worded.decision),
    pushes: changes.pushes.map(worded.push),
  };
}

/** All of them, once: few and small, and nothing that a request says ever becomes a path. */
async function loadAssets(): Promise<ReadonlyMap<string, Buffer>> {
  const names = await readdir(ASSETS);
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(new URL(name, ASSETS))] as const)));
}
