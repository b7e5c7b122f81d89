/** Why a value cannot be read. Stable: they are in dead letters' headers and in metrics. */
export type PoisonReason =
  /** It does not begin with Confluent's frame: a zero byte and a schema id of four bytes. */
  | 'not_avro_frame'
  /** The registry does not know the id. */
  | 'unknown_schema_id'
  /** A schema that is none of Lull's, or cannot be resolved to it. */
  | 'unexpected_schema'
  /** The bytes are not what the schema says. */
  | 'undecodable'
  | 'long_over_2_53'
  | 'trailing_bytes';

/** This value will never be readable: a dead letter, alone. */
export class PoisonError extends Error {
  override readonly name = 'PoisonError';
  readonly reason: PoisonReason;

  constructor(reason: PoisonReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The registry does not answer, or answers with its own trouble: try again later. */
export class RegistryUnavailableError extends Error {
  override readonly name = 'RegistryUnavailableError';
}

/** The registry refuses the request (authorization, wrong address, bad schema): stop with this one line. */
export class RegistryRefusedError extends Error {
  override readonly name = 'RegistryRefusedError';
}

/** A schema that some version in the registry is not compatible with: stop with this one line. */
export class IncompatibleSchemaError extends Error {
  override readonly name = 'IncompatibleSchemaError';
}

/** Somebody has to register the schemas first. */
export class SchemaNotRegisteredError extends Error {
  override readonly name = 'SchemaNotRegisteredError';
}
