/**
 * The one catalogue of errors. A code is public and stable: clients, operators and tests branch on it, README lists it.
 * `status` is the HTTP answer, `retryable` says whether the same request may succeed later unchanged, `meaning` tells the
 * reader what happened and what to do. The message of an error is free text for this one case.
 */
export interface ErrorKind {
  readonly status: number;
  readonly retryable: boolean;
  readonly meaning: string;
}

export const ERRORS = {
  'argument-invalid': {
    status: 400,
    retryable: false,
    meaning: 'A value is outside its accepted range; the message names the value and the range.',
  },
  'body-invalid': {
    status: 400,
    retryable: false,
    meaning: 'The request body is not what its content type says; send valid JSON, NDJSON, gzip or zstd.',
  },
  'body-too-large': {
    status: 413,
    retryable: false,
    meaning: 'The body, as sent or after decompression, exceeds its limit; send smaller requests.',
  },
  'broker-changed': {
    status: 500,
    retryable: false,
    meaning:
      'A stream is not where the catalog knows it: broker.kafka was added, removed or points to another cluster, or its topic is gone or lost records. The message says which; put it back, or start with another data folder.',
  },
  'broker-closed': {
    status: 503,
    retryable: true,
    meaning: 'The broker is shutting down; send again to the restarted server.',
  },
  'broker-overloaded': {
    status: 429,
    retryable: true,
    meaning: 'Too many bytes wait for the disk or for Kafka; slow down and send again after Retry-After.',
  },
  'broker-unavailable': {
    status: 503,
    retryable: true,
    meaning:
      'The Kafka cluster did not answer, or did not say that the records are safe; send again. Look at the cluster when it stays so.',
  },
  'care-running': {
    status: 409,
    retryable: true,
    meaning: 'Something is under way on the files of the delivery in this process; wait until it is done, or end it.',
  },
  'catalog-conflict': {
    status: 409,
    retryable: true,
    meaning: 'Somebody else changed the same document first; read it again and repeat the change.',
  },
  'catalog-damaged': {
    status: 500,
    retryable: false,
    meaning:
      'A file of the catalog cannot be read; the message names it and why. Restore that file from a backup; nothing else is touched.',
  },
  'config-invalid': {
    status: 400,
    retryable: false,
    meaning: 'The configuration has problems; every one is listed with its path and accepted values.',
  },
  'convert-failed': {
    status: 500,
    retryable: true,
    meaning:
      'The conversion engine failed on a batch for a reason that is not in its rows; it is retried, nothing is lost.',
  },
  'data-folder-locked': {
    status: 409,
    retryable: false,
    meaning: 'Another process owns the data folder; stop it or use another folder.',
  },
  'delivery-exists': {
    status: 409,
    retryable: false,
    meaning: 'A delivery of this name exists; choose another name or update it.',
  },
  'delivery-not-found': {
    status: 404,
    retryable: false,
    meaning: 'No delivery has this name; `lakeward delivery list` shows them.',
  },
  'delivery-paused': {
    status: 409,
    retryable: false,
    meaning: 'The delivery is paused, so nothing lands; resume it first.',
  },
  'delivery-unattended': {
    status: 503,
    retryable: true,
    meaning:
      'No process has landed what was asked for: `lakeward status` tells who works on the delivery; start a process with the role `deliver`.',
  },
  'disk-full': {
    status: 503,
    retryable: true,
    meaning: 'The disk reserve is reached; writes resume by themselves when space is freed.',
  },
  'encrypted-file-damaged': {
    status: 500,
    retryable: false,
    meaning: 'An encrypted file of the lake was changed, cut or exchanged; restore it from a backup.',
  },
  'file-too-large': {
    status: 500,
    retryable: false,
    meaning: 'A file is larger than the 5 GiB one object of the lake can have; lower `flush.bytes` of the delivery.',
  },
  'incarnation-mismatch': {
    status: 409,
    retryable: false,
    meaning:
      'The landing log was written for another stream of this name, or for another lake; the delivery is suspended until an operator decides.',
  },
  internal: {
    status: 500,
    retryable: true,
    meaning: 'A fault of the server; its log holds the cause under the request id.',
  },
  'key-missing': {
    status: 409,
    retryable: false,
    meaning: 'A file or a delivery needs a key that is not configured; add it to lake.keys and restart.',
  },
  'layout-invalid': {
    status: 400,
    retryable: false,
    meaning: 'The layout template is not valid; the message points at the part and names what is accepted.',
  },
  'lake-unavailable': {
    status: 503,
    retryable: true,
    meaning: 'The lake cannot be reached or written; landing is retried, records stay in the stream.',
  },
  'lake-unsuitable': {
    status: 500,
    retryable: false,
    meaning:
      'The lake store cannot do what is asked of it; the message names it. For landing exactly once use another store.',
  },
  'landing-log-damaged': {
    status: 500,
    retryable: false,
    meaning: 'An entry of a landing log cannot be read; the delivery is suspended, restore the entry from a backup.',
  },
  'log-damaged': {
    status: 500,
    retryable: false,
    meaning:
      'A segment of the stream log is damaged and set aside; the rest is served, `lakeward log verify` names it.',
  },
  'method-not-allowed': { status: 405, retryable: false, meaning: 'The path exists but not with this method.' },
  'not-found': { status: 404, retryable: false, meaning: 'Nothing is served under this path.' },
  'not-on-s3': {
    status: 409,
    retryable: false,
    meaning: 'Only a lake on S3 has this; the lake of this server is a folder.',
  },
  'notify-failed': {
    status: 502,
    retryable: true,
    meaning:
      'The receiver of a delivery’s notices did not take them; the message says why. They are kept and sent again, for a week.',
  },
  'owned-by-file': {
    status: 409,
    retryable: false,
    meaning:
      'The configuration file declares this delivery, or this stream or a reader of it, so only the file changes it; edit the file and restart.',
  },
  'position-expired': {
    status: 410,
    retryable: false,
    meaning: 'The records at this position are past retention; read from the earliest position.',
  },
  'record-too-large': {
    status: 413,
    retryable: false,
    meaning: 'A record with its key exceeds the limit of a record; split it or store a reference.',
  },
  'records-damaged': {
    status: 500,
    retryable: true,
    meaning:
      'Kafka answers records whose checksum does not match, or that are none; nothing of them lands, and they are read again and again. The message names topic, partition and offset: let another replica lead the partition, or have Kafka delete what lies before the next readable record (`kafka-delete-records.sh`).',
  },
  'registry-full': {
    status: 409,
    retryable: false,
    meaning: 'The schema registry holds as much as it may; ids are kept for ever, so use fewer different schemas.',
  },
  'reject-budget-exceeded': {
    status: 409,
    retryable: false,
    meaning:
      'More rows were rejected than the error budget of the delivery allows, so it is suspended; `lakeward delivery describe` names the reasons and the ways on.',
  },
  'role-missing': {
    status: 421,
    retryable: false,
    meaning:
      'This process does not do that: its `roles` leave it out. Send the request to one that has the role; `lakeward status` shows them.',
  },
  'row-rejected': {
    status: 409,
    retryable: false,
    meaning:
      'A row cannot land and the delivery is told to stop at the first; change its schema or its reject mode, then resume it.',
  },
  'run-cancelled': {
    status: 409,
    retryable: true,
    meaning: 'The run of a background job was cancelled by an operator; it comes again at its next turn.',
  },
  'schedule-unavailable': {
    status: 503,
    retryable: true,
    meaning:
      'The Redis of schedule.redis does not answer, so background jobs that processes share wait; landing goes on. Look at Redis when it stays so.',
  },
  'schedule-unsuitable': {
    status: 500,
    retryable: false,
    meaning:
      'The Redis of schedule.redis is not one to keep a schedule in; the message says what to change, mostly `maxmemory-policy noeviction`.',
  },
  'schema-deleted': {
    status: 409,
    retryable: false,
    meaning: 'The subject or version is deleted already; ask for its permanent deletion to remove it for good.',
  },
  'schema-incompatible': {
    status: 409,
    retryable: false,
    meaning:
      'The schema does not fit the versions before it; the message names the field and why. Mend it, or change the mode of the subject.',
  },
  'schema-invalid': {
    status: 400,
    retryable: false,
    meaning: 'The schema cannot be used; the message names the field and why.',
  },
  'schema-not-deleted': {
    status: 409,
    retryable: false,
    meaning: 'Only a subject or version that was deleted before is deleted for good; delete it first.',
  },
  'schema-not-found': {
    status: 404,
    retryable: false,
    meaning: 'No such schema or version is registered; `lakeward schema list` shows what is.',
  },
  'server-unreachable': {
    status: 503,
    retryable: true,
    meaning: 'No server answers at this address; start one with `lakeward serve` or name it with --url.',
  },
  'service-stopping': {
    status: 503,
    retryable: true,
    meaning: 'The server is stopping; send again to the restarted server.',
  },
  'shard-not-found': { status: 404, retryable: false, meaning: 'The stream has no shard of this id.' },
  'shards-moving': {
    status: 503,
    retryable: true,
    meaning:
      'The shards of the stream are being changed, or the server cannot find out whether they are, for longer than records can wait; send again.',
  },
  'stage-lost': {
    status: 500,
    retryable: false,
    meaning: 'A committed file vanished from the lake before it was published; its rows are rebuilt from the stream.',
  },
  'stream-exists': { status: 409, retryable: false, meaning: 'A stream of this name exists; choose another name.' },
  'stream-in-use': { status: 409, retryable: false, meaning: 'Deliveries read this stream; delete them first.' },
  'stream-not-found': { status: 404, retryable: false, meaning: 'No stream has this name; create it first.' },
  'stream-updating': {
    status: 409,
    retryable: true,
    meaning: 'The shards of the stream are being changed; the next change can begin when that is done.',
  },
  'subject-not-found': {
    status: 404,
    retryable: true,
    meaning: 'No schema is registered under this subject; `lakeward schema register` makes the first version.',
  },
  'transform-invalid': {
    status: 400,
    retryable: false,
    meaning:
      'An expression of the transform cannot be used; the message says which and why. Correct it and update the delivery.',
  },
  unauthorized: { status: 401, retryable: false, meaning: 'The request carries no valid key.' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** The only error class that crosses a port. `cause` holds what it wraps; `details` are facts for machines. */
export class LakewardError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; details?: Record<string, unknown> }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LakewardError';
    this.code = code;
    this.details = options?.details;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** True for an error of the catalogue, of the given code when one is named. */
export function isLakewardError(error: unknown, code?: ErrorCode): error is LakewardError {
  return error instanceof LakewardError && (code === undefined || error.code === code);
}
