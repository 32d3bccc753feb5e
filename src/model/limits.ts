/**
 * Every bound that is part of the product's behaviour, in one place, so that README can list them and tests can sit at ±1.
 * Units last. What an operator would change is in the configuration and starts from these defaults.
 */
export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;

export const LIMITS = {
  /** Open shards of one stream. */
  shardsMax: 256,
  /** Shards that a stream may have had in all, closed ones too: numbers are not used again. */
  shardsEverMax: 4096,
  /** Stream and delivery names: 1–128 of `[A-Za-z0-9_.-]`, as in Kinesis. */
  nameCharsMax: 128,
  /** Partition key, Unicode characters, as in Kinesis. */
  partitionKeyCharsMax: 256,
  /** Data plus key of one record, bytes. */
  recordBytesMax: 10 * MIB,
  /** Records of one PutRecords request, as in Kinesis. */
  putRecordsMax: 500,
  /** Data plus keys of one PutRecords request, bytes, as in Kinesis. */
  putRecordsBytesMax: 10 * MIB,
  /** An HTTP body as sent. 10 MiB of data is 13.4 MiB in base64. */
  bodyBytesMax: 16 * MIB,
  /** An HTTP body after decompression. */
  inflatedBytesMax: 64 * MIB,
  /** Records in one body of the plain HTTP form. */
  httpRecordsMax: 100_000,
  /** Nesting of JSON in control requests and of records in the plain HTTP form. */
  jsonDepthMax: 64,
  /** GetRecords: records and bytes of one answer, as in Kinesis. */
  getRecordsMax: 10_000,
  getRecordsBytesMax: 10 * MIB,
  /** Life of a shard iterator. */
  shardIteratorMs: 300 * SECOND_MS,
  /** Retention of a stream. */
  retentionMsMin: HOUR_MS,
  retentionMsMax: 8760 * HOUR_MS,
  retentionMsDefault: 24 * HOUR_MS,
  /** Partitions written by one COPY of the converter; a batch with more is written in several. More would cost memory and save nothing. */
  partitionsPerPartMax: 64,
  /** Partitions of one landing; rows of further partitions wait for the next. */
  partitionsPerLandingMax: 10_000,
  /** One encoded partition value, bytes; longer ones are rejects. */
  partitionValueBytesMax: 128,
  /** Event times later than arrival by more than this are rejects, so that one bad clock cannot close hours. */
  eventFutureMsDefault: 24 * HOUR_MS,
  /** Event ids a delivery remembers to drop duplicates, and the files they lie in; with more the oldest are forgotten. */
  dedupeKeysMax: 20_000_000,
  dedupeFilesMax: 50_000,
  /** Window within which the same event id is a duplicate. */
  dedupeWindowMsMin: SECOND_MS,
  dedupeWindowMsMax: 31 * 24 * HOUR_MS,
  dedupeWindowMsDefault: 24 * HOUR_MS,
  /** Files of late rows that a delivery holds; with more, late rows show when they land. */
  heldFilesMax: 1000,
  /** Columns of one schema, and of an inferred one. */
  columnsMax: 1000,
  columnsInferredMax: 256,
  /** One SQL expression of a transform, characters. */
  expressionCharsMax: 4000,
  /** Subject of schemas, characters. */
  subjectCharsMax: 255,
  /** JSON text of one registered schema. */
  schemaBytesMax: 512 * KIB,
  /** All registered schemas together: engines read them whole. */
  registryBytesMax: 16 * MIB,
  /** Versions of one subject, deleted ones among them. */
  subjectVersionsMax: 1000,
} as const;
