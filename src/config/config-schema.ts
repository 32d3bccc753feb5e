/**
 * Every key of the configuration: its form, range, default and meaning, in this one place. The loader, the JSON Schema for
 * editors and the table of the documentation are made from it. A key is here when somebody would change it; bounds that are part
 * of the product's behaviour are in `model/limits.ts`.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { LIMITS } from '../model/limits.ts';
import { BYTES_PATTERN, DURATION_PATTERN, parseBytes, parseDurationMs } from '../model/units.ts';

/** What the loader reads from a key beside JSON Schema: how to say what is accepted, and the range of a size or duration. */
export interface LeafNotes {
  readonly accepted: string;
  /** The default as told in the documentation, where it is worked out at start. */
  readonly defaultText?: string;
  readonly quantity?: { readonly unit: 'bytes' | 'ms'; readonly min: number; readonly max: number };
  /** Resolved against the folder of the configuration file, or the working folder. */
  readonly path?: true;
  /** Values are not shown in messages. */
  readonly secret?: true;
}

const NAME_PATTERN = `^(?!\\.{1,2}$)[A-Za-z0-9_.-]{1,${LIMITS.nameCharsMax}}$`;
const NAME_ACCEPTED = `1-${LIMITS.nameCharsMax} of A-Z a-z 0-9 _ . -`;
const RETENTION_HOURS = {
  minimum: LIMITS.retentionMsMin / 3_600_000,
  maximum: LIMITS.retentionMsMax / 3_600_000,
  default: LIMITS.retentionMsDefault / 3_600_000,
};
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export const GUARANTEES = ['exactly-once', 'at-least-once'] as const;
export const ROLES = ['ingest', 'deliver', 'compact'] as const;
export const CATALOG_PLACES = ['data', 'lake'] as const;
export const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
const BUCKET_PATTERN = '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$';
/** No segment is empty, `.` or `..`. */
const PREFIX_PATTERN = '^(?!.*(^|/)\\.{1,2}(/|$))[^/\\\\]+(/[^/\\\\]+)*/?$';
const ENGINES_MAX = 16;

const text = (description: string, options: { default?: string; pattern?: string }, notes: LeafNotes) =>
  Type.String({ minLength: 1, ...options, description, notes });

const path = (description: string, options: { default?: string }, defaultText?: string) =>
  text(description, options, { accepted: 'a folder', path: true, ...(defaultText !== undefined && { defaultText }) });

const flag = (description: string) =>
  Type.Boolean({ default: false, description, notes: { accepted: 'true or false' } });

const integer = (
  description: string,
  range: { minimum: number; maximum: number; default?: number },
  defaultText?: string,
) => {
  const accepted = `an integer from ${range.minimum} to ${range.maximum}`;
  return Type.Integer({
    ...range,
    description,
    notes: { accepted, ...(defaultText !== undefined && { defaultText }) },
  });
};

const oneOf = (description: string, accepted: readonly string[], byDefault: string) =>
  Type.Enum([...accepted], { default: byDefault, description, notes: { accepted: accepted.join(', ') } });

interface Range {
  readonly min: string;
  readonly max: string;
  readonly default: string;
}

const quantityOf = (unit: 'bytes' | 'ms') => {
  const [pattern, parse] = unit === 'bytes' ? [BYTES_PATTERN, parseBytes] : [DURATION_PATTERN, parseDurationMs];
  return (description: string, { min, max, default: byDefault }: Range) => {
    const quantity = { unit, min: parse(min) ?? Number.NaN, max: parse(max) ?? Number.NaN };
    const accepted = `a ${unit === 'bytes' ? 'size' : 'duration'} from ${min} to ${max}`;
    return Type.Unsafe<number>({
      type: 'string',
      pattern,
      default: byDefault,
      description,
      notes: { accepted, quantity },
    });
  };
};
const size = quantityOf('bytes');
const duration = quantityOf('ms');

const section = <T extends Record<string, TSchema>>(description: string, keys: T) =>
  Type.Object(keys, { additionalProperties: false, description });

/** Some of the names, all by default; each once. */
const someOf = (description: string, accepted: readonly string[]) =>
  Type.Array(Type.Enum([...accepted], { notes: { accepted: accepted.join(', ') } }), {
    default: [...accepted],
    description,
    notes: { accepted: `a list of ${accepted.join(', ')}`, defaultText: 'all' },
  });

const list = <T extends TSchema>(description: string, items: T, accepted: string) =>
  Type.Array(items, { default: [], description, notes: { accepted } });

const KEY = section('One key.', {
  id: text(
    'Name of the key; the access key id of a Kinesis client.',
    { pattern: '^[A-Za-z0-9_.-]{3,128}$' },
    {
      accepted: '3-128 of A-Z a-z 0-9 _ . -',
    },
  ),
  secret: text(
    'The secret access key of a Kinesis client, the bearer token elsewhere.',
    { pattern: '^[!-~]{16,256}$' },
    {
      accepted: '16-256 visible ASCII characters',
      secret: true,
    },
  ),
});

const STREAM = section('One stream.', {
  name: text('Name of the stream.', { pattern: NAME_PATTERN }, { accepted: NAME_ACCEPTED }),
  shards: integer('Shards it is made with.', { minimum: 1, maximum: LIMITS.shardsMax, default: 1 }),
  retentionHours: integer('How long records are kept.', RETENTION_HOURS),
  topic: Type.Optional(
    text(
      'A topic of `broker.kafka` that is there, to be this stream; shards and retention are then its own.',
      {},
      { accepted: 'name of a topic' },
    ),
  ),
});

const S3_LAKE = section('A lake in a bucket, in place of `lake.folder`.', {
  bucket: text('Bucket of the lake.', { pattern: BUCKET_PATTERN }, { accepted: '3-63 of a-z 0-9 . -' }),
  prefix: Type.Optional(
    text(
      'Folder of the lake in the bucket.',
      { pattern: PREFIX_PATTERN },
      { accepted: 'folders with / between them', defaultText: 'the whole bucket' },
    ),
  ),
  region: Type.Optional(
    text('Region of the bucket.', {}, { accepted: 'a region', defaultText: '`AWS_REGION`, or the profile' }),
  ),
  endpoint: Type.Optional(
    text(
      'Address of a store other than AWS.',
      { pattern: '^https?://[^/?#]+/?$' },
      { accepted: 'http(s)://host:port', defaultText: 'AWS' },
    ),
  ),
  pathStyle: flag('Asks for `endpoint/bucket` rather than `bucket.endpoint`; most stores of your own need it.'),
  ca: Type.Optional(
    text(
      'File with the certificates (PEM) of the authority to trust.',
      {},
      { accepted: 'a file', path: true, defaultText: "the system's" },
    ),
  ),
  guarantee: oneOf(
    'What is asked of the store. `at-least-once` also takes one without conditional writes: rows may land twice.',
    GUARANTEES,
    'exactly-once',
  ),
});

const KAFKA = section('Streams on a Kafka cluster, in place of the data folder.', {
  bootstrap: list(
    'Some brokers of the cluster.',
    text('One broker.', { pattern: '^[^\\s:/@]+:[0-9]{1,5}$' }, { accepted: 'host:port' }),
    'a list of host:port',
  ),
  replicas: Type.Optional(
    integer('Copies of every partition of a topic made here.', { minimum: 1, maximum: 32 }, "the cluster's default"),
  ),
  tls: flag('Encrypts connections.'),
  ca: Type.Optional(
    text(
      'With `tls`: file with the certificates (PEM) of the authority to trust.',
      {},
      { accepted: 'a file', path: true, defaultText: "the system's" },
    ),
  ),
  sasl: Type.Optional(
    section('How the server shows who it is.', {
      mechanism: oneOf('How the password is shown; `PLAIN` sends it.', SASL_MECHANISMS, 'SCRAM-SHA-512'),
      username: text('Name of the user.', {}, { accepted: 'a text' }),
      password: text('Password of the user.', {}, { accepted: 'a text', secret: true }),
    }),
  ),
});

const LAKE_KEY = section('One key.', {
  id: text(
    'Name of the key; encrypted files hold it.',
    { pattern: '^[A-Za-z0-9_.-]{1,128}$' },
    { accepted: '1-128 of A-Z a-z 0-9 _ . -' },
  ),
  file: Type.Optional(text('File with the 32 bytes of the key.', {}, { accepted: 'a file', path: true })),
  env: Type.Optional(
    text(
      'Environment variable with the key, in hex or base64.',
      { pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
      { accepted: 'the name of a variable' },
    ),
  ),
  command: list(
    'Program and arguments that wrap and unwrap data keys.',
    text('One word of the command.', {}, { accepted: 'a text' }),
    'a list of texts',
  ),
});

export const CONFIG_SCHEMA = section('Configuration of a Lakeward server.', {
  roles: someOf('What this process does; see [Several processes](#several-processes).', ROLES),
  server: section('Where the server listens and who may come in.', {
    host: text(
      'Address to listen on. Others than loopback need keys, or `server.open`.',
      { default: '127.0.0.1' },
      {
        accepted: 'an address or host name of this machine',
      },
    ),
    port: integer('Port to listen on; 0 takes a free one.', { minimum: 0, maximum: 65_535, default: 4567 }),
    open: flag('Lets anybody in without a key, also from other machines.'),
    keys: list('Keys that clients must show one of; none means no keys are asked for.', KEY, 'a list of {id, secret}'),
    noticeSecret: Type.Optional(
      text(
        'Signs what deliveries send to the address of their `notify`: see [Complete hours](#complete-hours).',
        { pattern: '^[!-~]{16,256}$' },
        { accepted: '16-256 visible ASCII characters', secret: true, defaultText: 'not signed' },
      ),
    ),
    drain: duration(
      'How long a stopping server may take in all: requests finish, what waits is landed, everything is closed in the last 40 % (4 s at most).',
      {
        min: '0s',
        max: '1h',
        default: '10s',
      },
    ),
  }),
  data: section('Where streams and the catalog are kept.', {
    folder: path('Folder of the stream log and the catalog; every process has one of its own.', {
      default: './lakeward-data',
    }),
    reserve: size('Disk space left free: below it writes are refused and landing goes on.', {
      min: '0B',
      max: '1TiB',
      default: '512MiB',
    }),
  }),
  catalog: section('What streams, deliveries and schemas there are.', {
    place: oneOf(
      'Where that is kept: `data` for a process alone, `lake` for all processes on one lake. `lake` needs `broker.kafka`.',
      CATALOG_PLACES,
      'data',
    ),
  }),
  broker: section('What keeps the streams.', { kafka: Type.Optional(KAFKA) }),
  lake: section('Where files land.', {
    folder: Type.Optional(path('Folder of the lake.', {}, '`lake` in `data.folder`')),
    s3: Type.Optional(S3_LAKE),
    keys: list('Keys that deliveries encrypt with, by their id.', LAKE_KEY, 'a list of {id, file|env|command}'),
  }),
  log: section('The log of the streams.', {
    segmentBytes: size('Size of a segment file; retention frees whole segments.', {
      min: '1MiB',
      max: '1GiB',
      default: '64MiB',
    }),
    groupBytes: size('Most bytes of waiting appends that share one disk flush.', {
      min: '64KiB',
      max: '64MiB',
      default: '4MiB',
    }),
  }),
  convert: section('The conversion engines.', {
    engines: Type.Optional(
      integer('Engine processes, one core each.', { minimum: 1, maximum: ENGINES_MAX }, 'cores less one, 1 to 4'),
    ),
    memory: size('Memory of one engine.', { min: '128MiB', max: '64GiB', default: '512MiB' }),
  }),
  schedule: section('Background jobs.', {
    redis: Type.Optional(
      text(
        'Redis through which processes take turns at them. Needs `catalog.place: lake`.',
        { pattern: '^rediss?://[^\\s]+$' },
        {
          accepted: 'redis(s)://user:password@host:port',
          secret: true,
          defaultText: 'every process runs them for itself',
        },
      ),
    ),
    prefix: text(
      'Start of its keys in Redis; another for every lake that shares one.',
      { default: 'lakeward', pattern: '^[A-Za-z0-9_.-]{1,64}$' },
      { accepted: '1-64 of A-Z a-z 0-9 _ . -' },
    ),
  }),
  telemetry: section('Logs.', {
    level: oneOf('Least important log lines that are written.', LOG_LEVELS, 'info'),
  }),
  streams: list('Streams made at start when they do not exist.', STREAM, 'a list of {name, shards, retentionHours}'),
  deliveries: list(
    'Deliveries that run; see the keys of a delivery. A schema may be the path of an Avro file.',
    Type.Object({}, { description: 'One delivery.', notes: { accepted: 'a delivery specification' } }),
    'a list of delivery specifications',
  ),
});

/** The values after reading: every default in place, sizes in bytes, durations in ms, paths absolute. */
export type ConfigValues = Static<typeof CONFIG_SCHEMA>;

/** A node of the schema as the walkers see it. */
export interface SchemaNode extends TSchema {
  readonly notes?: LeafNotes;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
}

export const CONFIG_NODE = CONFIG_SCHEMA as unknown as SchemaNode;
