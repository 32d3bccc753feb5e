/**
 * `node test/bench/scale-model.ts [GB/s]`: what a cluster needs at a rate, from figures measured one at a time by the other benchmarks, and
 * which bound it meets first. Arithmetic only; a figure that is measured anew is put in here.
 */
import { LIMITS } from '../../src/model/limits.ts';
import { round } from './report.ts';

const GB_PER_SECOND = Number(process.argv[2] ?? 1);

const MEASURED = {
  /** bench:kafka, 1,000,000 clickstream events, two cores, the higher of two runs and rounded up. */
  recordBytes: 454,
  putCpuMicros: 5.6,
  kafkaPutCpuMicros: 3.7,
  landCpuMicros: 9.5,
  kafkaReadCpuMicros: 0.95,
  /** Of a byte of JSON in hourly zstd Parquet. */
  fileShare: 0.171,
  /** bench:land on S3, hourly, by landed GB, at flushes of 64 MiB. */
  s3PerLandedGb: { PUT: 444, COPY: 183, DELETE: 222 },
  /** contention.ts, calls of 30 to 80 ms: one worker, and 16, landing in one log without a pause. */
  landingsPerSecond: { alone: 3.8, crowded: 2.2 },
} as const;

/** Of one prefix of a bucket, as AWS states it; a bucket that is busy divides its prefixes. */
const S3_WRITES_PER_PREFIX = 3500;
/** No machine runs well beyond. */
const BUSY = 0.7;
const MEBIBYTE = 1024 * 1024;

function cores(micros: number): number {
  const records = (GB_PER_SECOND * 1e9) / MEASURED.recordBytes;
  return Math.ceil((records * micros) / 1e6 / BUSY);
}

function needed(flushMib: number): Record<string, number | string> {
  const landings = (GB_PER_SECOND * 1e9) / (flushMib * MEBIBYTE);
  const landedGb = GB_PER_SECOND * MEASURED.fileShare;
  const { PUT, COPY, DELETE } = MEASURED.s3PerLandedGb;
  // Files, entries and markers come with landings.
  const writes = (landedGb * (PUT + COPY + DELETE) * 64) / flushMib;
  const { crowded } = MEASURED.landingsPerSecond;
  return {
    'records/s': Math.round((GB_PER_SECOND * 1e9) / MEASURED.recordBytes),
    'ingest cores': cores(MEASURED.putCpuMicros),
    'Kafka cores, one replica': cores(MEASURED.kafkaPutCpuMicros + MEASURED.kafkaReadCpuMicros),
    'delivery cores': cores(MEASURED.landCpuMicros),
    'shards at 1 MB/s each, as in Kinesis': Math.ceil(GB_PER_SECOND * 1000),
    'MB/s a shard, at the most shards': round((GB_PER_SECOND * 1000) / LIMITS.shardsMax),
    'landings/s': round(landings),
    'landings/s that one log takes, crowded': crowded,
    'logs (deliveries by stream)': Math.ceil(landings / (crowded * BUSY)),
    'S3 PUT, COPY and DELETE/s': round(writes),
    'share of one S3 prefix': round(writes / S3_WRITES_PER_PREFIX),
    'GB/s one log lands': round((crowded * flushMib * MEBIBYTE) / 1e9),
  };
}

console.log(`${GB_PER_SECOND} GB/s`);
const sizes = [64, 256, 1024].map((mib) => [`flush.bytes ${mib} MiB`, needed(mib)] as const);
const subjects = Object.keys(sizes[0]?.[1] ?? {});
console.table(
  Object.fromEntries(subjects.map((each) => [each, Object.fromEntries(sizes.map(([size, row]) => [size, row[each]]))])),
);
