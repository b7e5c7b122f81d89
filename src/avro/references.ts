import { PoisonError } from './errors.ts';
import type { RegisteredSchema, SchemaReference, SchemaRegistry } from './registry.ts';

/** What somebody's schemas may be like, and no loop without an end. */
const MAX_DEPTH = 32;
const MAX_SCHEMAS = 256;

/**
 * Schemas that others refer to: named types that live under subjects of their own, one version of each. A version never changes, so each is asked for once in the life of a process,
 * whoever refers to it; one that could not be had is asked for again.
 */
export class References {
  readonly #registry: SchemaRegistry;
  readonly #known = new Map<string, Promise<RegisteredSchema>>();

  constructor(registry: SchemaRegistry) {
    this.#registry = registry;
  }

  /**
   * The texts of all that a schema refers to, and of what those refer to: each once, behind everything that it needs itself.
   * @throws PoisonError where one is missing, or they lead in a circle or too far; RegistryUnavailableError, RegistryRefusedError
   */
  async textsFor({ references }: RegisteredSchema): Promise<readonly string[]> {
    const texts = new Map<string, string>();
    const above: string[] = [];
    const collect = async (wanted: readonly SchemaReference[]): Promise<void> => {
      for (const reference of wanted) {
        const name = nameOf(reference);
        if (texts.has(name)) continue;
        if (above.includes(name)) throw unusable(`refers in a circle: ${[...above.slice(above.indexOf(name)), name].join(' -> ')}`);
        if (above.length >= MAX_DEPTH) throw unusable(`refers to others more than ${MAX_DEPTH} deep, at ${name}`);
        if (texts.size + above.length >= MAX_SCHEMAS) throw unusable(`refers to more than ${MAX_SCHEMAS} others`);
        const schema = await this.#get(reference);
        above.push(name);
        await collect(schema.references);
        above.pop();
        texts.set(name, schema.text);
      }
    };
    await collect(references);
    // The same type under two subjects is the same type.
    return [...new Set(texts.values())];
  }

  #get(reference: SchemaReference): Promise<RegisteredSchema> {
    const name = nameOf(reference);
    let asking = this.#known.get(name);
    if (asking === undefined) {
      asking = this.#ask(reference).catch((error: unknown) => {
        this.#known.delete(name);
        throw error;
      });
      this.#known.set(name, asking);
    }
    return asking;
  }

  async #ask({ subject, version, name }: SchemaReference): Promise<RegisteredSchema> {
    const schema = await this.#registry.schemaOf(subject, version);
    if (schema === undefined) throw unusable(`refers to ${name} in version ${version} of ${subject}, which is not in the registry`);
    return schema;
  }
}

function nameOf({ subject, version }: SchemaReference): string {
  return `${subject} version ${version}`;
}

function unusable(what: string): PoisonError {
  return new PoisonError('unexpected_schema', `its schema ${what}`);
}
