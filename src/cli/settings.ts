import { availableParallelism } from 'node:os';
import { DEFAULT_FETCH_BYTES } from '../engine/worker.ts';
import { duration, flag, integer, matching, oneOf, secret, size, text } from './setting.ts';

const MIB = 1024 * 1024;

/**
 * Every setting of Lull. Flag > environment (`LULL_` and the name in capitals) > config file > default. A new one is one line here; a
 * command that wants it as a flag adds the option of the same name.
 */
export const SETTINGS = {
  prefix: matching({
    doc: 'names topics, groups, transactional ids and the label of metrics: one app, one prefix',
    default: 'lull',
    pattern: /^[a-z0-9][a-z0-9_-]{0,63}$/,
    form: 'a name of at most 64 of a-z, 0-9, - and _',
  }),
  bootstrap: matching({
    doc: 'Kafka brokers',
    default: undefined,
    pattern: /^[^\s,:]+:\d{1,5}(,[^\s,:]+:\d{1,5})*$/,
    form: 'HOST:PORT, comma-separated where there are several',
  }),
  registry: matching({
    doc: 'the schema registry (its Confluent-compatible API)',
    default: undefined,
    pattern: /^https?:\/\/[^\s/@]+(\/\S*)?$/,
    form: 'a URL such as http://127.0.0.1:8081, without user and password',
  }),
  registryUsername: text({ doc: 'user of the schema registry, if it asks for one', default: undefined }),
  registryPassword: secret({ doc: 'password of the schema registry' }),
  kafkaSsl: flag({ doc: 'whether the brokers are spoken to over TLS', default: false }),
  kafkaSslCaFile: text({ doc: "PEM file of the brokers' certificate authority; without it, the system's", default: undefined }),
  kafkaSslCertFile: text({ doc: "PEM file of this client's certificate, for mutual TLS", default: undefined }),
  kafkaSslKeyFile: text({ doc: "PEM file of this client's private key", default: undefined }),
  kafkaSaslMechanism: oneOf({
    doc: 'how to log in to the brokers',
    values: ['plain', 'scram-sha-256', 'scram-sha-512'],
    default: undefined,
  }),
  kafkaSaslUsername: text({ doc: 'user at the brokers', default: undefined }),
  kafkaSaslPassword: secret({ doc: 'password at the brokers' }),
  partitions: integer({ doc: 'partitions of every topic that is created; fixed for life', default: 24, min: 1, max: 10_000 }),
  replicationFactor: integer({ doc: 'replicas of every topic that is created', default: 3, min: 1, max: 32 }),
  workers: integer({
    doc: 'processes that share the work on this machine, at most one per partition; 1: without a parent. Default: the cores that it may use',
    default: availableParallelism(),
    min: 1,
    max: 1024,
  }),
  standbys: integer({
    doc: 'other processes per partition that keep its state at hand, on other machines where there are some; all of an app need the same',
    default: 0,
    min: 0,
    max: 10,
  }),
  stateFolder: text({ doc: 'local stores; may be lost, and is then restored from the changelogs', default: './lull-state' }),
  httpHost: text({ doc: 'where /metrics, /healthz and /readyz are served', default: '127.0.0.1' }),
  httpPort: integer({ doc: 'their port; 0: the system chooses one, and the log says which', default: 0, min: 0, max: 65_535 }),
  logLevel: oneOf({ doc: 'least level that is logged', values: ['debug', 'info', 'warn', 'error'], default: 'info' }),
  sessionTimeoutMs: duration({ doc: 'a member that is silent this long loses its partitions', default: 10_000, min: 1000, max: 1_800_000 }),
  transactionTimeoutMs: duration({
    doc: "an open transaction stalls its topic's readers this long at most",
    default: 10_000,
    min: 1000,
    max: 900_000,
  }),
  maxTickHoldMs: duration({
    doc: 'where a topology has sources, ticks wait for ingest; past this it is logged and in a metric, and they go on waiting',
    default: 60_000,
    min: 0,
    max: 86_400_000,
  }),
  drainMs: duration({ doc: 'how long a graceful stop may take', default: 10_000, min: 0, max: 600_000 }),
  sendConcurrency: integer({ doc: 'calls to a provider in flight at once, per partition', default: 16, min: 1, max: 1000 }),
  fcmCredentialsFile: text({ doc: 'key file of a Google service account that may send for the project', default: undefined }),
  vapidKeysFile: text({
    doc: 'JSON file {publicKey, privateKey}, or a list of them: the current key first, older ones for their subscriptions',
    default: undefined,
  }),
  vapidSubject: matching({
    doc: 'where push services write when something is wrong',
    default: undefined,
    pattern: /^(mailto:\S+@\S+|https:\/\/\S+)$/,
    form: 'a mailto: address or an https: URL',
  }),
  fetchMaxBytes: size({ doc: 'asked for in one fetch of one partition', default: DEFAULT_FETCH_BYTES, min: 1024, max: 64 * MIB }),
} as const;

export type SettingName = keyof typeof SETTINGS;
type ValueOf<S> = S extends { readonly default: infer D; readonly parse: (value: string) => infer P } ? D | Exclude<P, undefined> : never;

/** The compiled configuration: every setting has its value, checked, and nothing changes it afterwards. */
export type Config = { readonly [K in SettingName]: ValueOf<(typeof SETTINGS)[K]> };
