import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';

/** The project's own config on files that do not exist; types are switched off because there is nothing to type-check. */
const eslint = new ESLint({
  overrideConfig: [tseslint.configs.disableTypeChecked, { languageOptions: { parserOptions: { projectService: false, program: null } } }],
});

async function complaints(filePath: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath });
  return result!.messages
    .filter((message) => message.ruleId === null || /^lull\/|^no-restricted/.test(message.ruleId))
    .map((message) => message.message);
}

describe('the arrows between folders', () => {
  it.each([
    ['src/core/a.ts', '../log/port.ts', /core must not import log/],
    ['src/core/deep/er/a.ts', '../../../store/port.ts', /core must not import store/],
    ['src/core/a.ts', '../../src/log/port.ts', /core must not import log/],
    ['src/core/a.ts', '../telemetry/metrics.ts', /core must not import telemetry/],
    ['src/core/a.ts', 'node:fs', /core is pure/],
    ['src/core/a.ts', 'luxon', /core is pure/],
    ['src/topology/a.ts', '../engine/stage.ts', /topology must not import engine/],
    ['src/testing/a.ts', '../processor/stage.ts', /testing must not import processor/],
    ['src/graph/a.ts', '../core/program.ts', /graph must not import core/],
    ['src/engine/a.ts', '../core/program.ts', /engine must not import core/],
    ['src/engine/a.ts', '../processor/stage.ts', /engine must not import processor/],
    ['src/processor/a.ts', '../topology/load.ts', /processor must not import topology/],
    ['src/processor/a.ts', '../senders/sender.ts', /processor must not import senders/],
    ['src/senders/fcm/a.ts', '../../cli/config.ts', /senders must not import cli/],
    ['src/log/kafka/a.ts', '../../engine/task.ts', /log must not import engine/],
    ['src/store/rocks/a.ts', '../../log/port.ts', /store must not import log/],
    ['src/telemetry/a.ts', '../log/port.ts', /telemetry must not import log/],
    ['src/engine/a.ts', '../../test/setup/env.ts', /outside of src/],
    ['src/newfolder/a.ts', '../log/port.ts', /not in the arrows/],
    ['src/engine/a.ts', 'kafkajs', /use the port/],
    ['src/log/memory/a.ts', 'kafkajs/src/network/connection.js', /use the port/],
    ['src/processor/a.ts', 'rocksdb-native', /use the port/],
    ['src/cli/a.ts', 'rocksdb-native', /use the port/],
  ])('%s importing %s is refused in every form', async (file, specifier, expected) => {
    for (const code of [
      `import { x } from '${specifier}'; x();`,
      `import type { X } from '${specifier}'; export type Y = X;`,
      `export { x } from '${specifier}';`,
      `export * from '${specifier}';`,
      `export const x = await import('${specifier}');`,
      `export type Y = import('${specifier}').X;`,
    ])
      expect(await complaints(file, code), code).toEqual([expect.stringMatching(expected)]);
  });

  it.each([
    ['src/core/a.ts', './b.ts'],
    ['src/core/deep/a.ts', '../b.ts'],
    ['src/core/a.ts', 'node:crypto'],
    ['src/topology/a.ts', '../core/program.ts'],
    ['src/topology/a.ts', 'yaml'],
    ['src/testing/a.ts', '../topology/load.ts'],
    ['src/graph/a.ts', '../topology/files.ts'],
    ['src/processor/a.ts', '../engine/stage.ts'],
    ['src/senders/fcm/a.ts', '../../avro/codec.ts'],
    ['src/engine/a.ts', '../store/port.ts'],
    ['src/log/kafka/a.ts', 'kafkajs'],
    ['src/store/rocks/a.ts', 'rocksdb-native'],
    ['src/avro/a.ts', '@kafkajs/confluent-schema-registry'],
    ['src/engine/a.ts', '../telemetry/metrics.ts'],
    ['src/cli/commands/a.ts', '../../processor/stage.ts'],
    ['src/dev/shop/a.ts', '../../log/kafka/log.ts'],
    ['test/log/a.test.ts', 'kafkajs'],
  ])('%s may import %s', async (file, specifier) => {
    expect(await complaints(file, `import type { createHash } from '${specifier}'; export type X = typeof createHash;`)).toEqual([]);
  });
});

describe('the pure core', () => {
  it.each([
    'export const a = Date.now();',
    'export const a = new Date();',
    'export const a = Date();',
    'export const a = Math.random();',
    'setTimeout(() => {}, 1);',
    'setInterval(() => {}, 1);',
    'queueMicrotask(() => {});',
    'export const a = process.env;',
    'export const a = performance.now();',
    'export const a = globalThis;',
    `import { randomUUID } from 'node:crypto'; randomUUID();`,
  ])('is refused: %s', async (code) => {
    expect(await complaints('src/core/a.ts', code)).toHaveLength(1);
    expect(await complaints('src/core/deep/a.ts', code)).toHaveLength(1);
    expect(await complaints('src/engine/a.ts', code)).toEqual([]);
  });

  it('may read a time it was given', async () => {
    expect(await complaints('src/core/a.ts', 'export const day = (ms: number) => new Date(ms).getUTCDay();')).toEqual([]);
  });
});
