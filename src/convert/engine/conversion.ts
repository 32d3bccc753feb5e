/**
 * One conversion inside an engine: batches in, spools of checked rows, then files. Every record of a batch goes to exactly one spool
 * or to the rejected rows, in the order given.
 */
import { isUtf8 } from 'node:buffer';
import type { DuckDBConnection } from '@duckdb/node-api';
import { EXTRA_COLUMN, leavesOf } from '../../model/column-plan.ts';
import { LIMITS } from '../../model/limits.ts';
import type { RecordBatch } from '../../model/record-batch.ts';
import { compileLayout } from '../../partition/layout.ts';
import type { ConvertJob, ConvertedFile } from '../../ports/converter.ts';
import type { RecordDecoder } from '../../schema/record-frame.ts';
import { isFramed } from '../../schema/record-frame.ts';
import type { ConvertAnswer, RecordPlace } from '../protocol.ts';
import { copyOut } from './copy-out.ts';
import { extraKeys } from './extra-keys.ts';
import type { Dedupe } from './dedupe.ts';
import { startDedupe } from './dedupe.ts';
import type { KeyTable } from './key-table.ts';
import { partitionsOf } from './partitions.ts';
import { rejectedFile } from './rejected-file.ts';
import { openRawFiles } from './raw-files.ts';
import type { Reject } from './row-check.ts';
import { isOpaque, rowCheck } from './row-check.ts';
import { openSpools, spoolBounds } from './spools.ts';
import type { Failures } from './transform-out.ts';
import { failedRows, transformOut } from './transform-out.ts';

export interface Conversion {
  add(batch: RecordBatch): void;
  /**
   * `alive` is called before each step, with the bytes it goes through. Gives the rows that expressions fail on when there are any: the job
   * must be done again without them.
   */
  finish(connection: DuckDBConnection, alive: (bytes: number) => void): Promise<ConvertAnswer | Failures>;
  /** Removes what lies in the scratch folder. */
  close(): void;
}

const NOT_UTF8: Reject = { code: 'not-utf8', reason: 'the bytes are not valid UTF-8', column: null };
const TOO_LARGE: Reject = { code: 'too-large', reason: `more than ${LIMITS.recordBytesMax} bytes`, column: null };
const DEADLY: Reject = { code: 'engine-crash', reason: 'the conversion engine dies on this record', column: null };

export interface ConversionOptions {
  readonly scratch: string;
  /** Working memory of the engine. */
  readonly memoryBytes: number;
  /** Reads the records that are Avro. */
  readonly avro: RecordDecoder;
  /** Ids of events that landed; present when the job drops duplicates. */
  readonly known: KeyTable | undefined;
  /** Test aid: sees the bytes of every record that is not known to be deadly. */
  readonly watch: ((record: Buffer) => void) | undefined;
  /** Rows that an expression is known to fail on. */
  readonly failed: Failures;
  /** Look only for rows that expressions fail on. */
  readonly survey: boolean;
}

export function startConversion(
  job: ConvertJob,
  deadly: readonly RecordPlace[],
  { scratch, memoryBytes, avro, known, watch, failed, survey }: ConversionOptions,
): Conversion {
  const layout = compileLayout(job.layout);
  const partitions = partitionsOf(layout);
  const { transform } = job.plan;
  const numberKey = freeKey(job);
  const rowKey = transform === undefined ? undefined : freeKey(job, 'row_number');
  const spools = openSpools({
    folder: scratch,
    numberKey,
    rowKey,
    ...spoolBounds(memoryBytes, leavesOf(job.plan.columns)),
  });
  const rejected = rejectedFile(job.directory, job.rejectWindow);
  const raw = job.format === 'raw' ? openRawFiles(job) : undefined;
  const anyBytes = raw !== undefined && isOpaque({ ...job, fields: layout.fields });
  const seen = job.tellExtraKeys === true ? extraKeys() : undefined;
  const dedupe = dedupeOf(job, known);
  const checker = rowCheck({
    ...job,
    raw: raw !== undefined,
    partitions,
    fields: layout.fields,
    dedupe,
    extraKeys: seen,
  });
  const high = new Map<number, number>();
  const killers = new Set(deadly.map(([shard, offset]) => `${shard}/${offset}`));
  /** JSON of the record at hand: its own bytes, or what was made of them. */
  const row: { bytes: Buffer; from: number; to: number } = { bytes: Buffer.alloc(0), from: 0, to: 0 };
  let rows = 0;
  let rejects = 0;
  let extraRows = 0;
  /** Records of the batches before. */
  let before = 0;

  function add(batch: RecordBatch): void {
    const data = batch.data as Buffer;
    const allUtf8 = anyBytes || isUtf8(data);
    let highest = high.get(batch.shard) ?? Number.NEGATIVE_INFINITY;
    let from = 0;
    for (let i = 0; i < batch.count; i++) {
      const to = batch.dataEnds[i] as number;
      const arrival = batch.arrivals[i] as number;
      let verdict: Reject | 'duplicate' | undefined =
        (to - from > LIMITS.recordBytesMax ? TOO_LARGE : undefined) ??
        (killers.size > 0 && killers.has(`${batch.shard}/${batch.firstOffset + i}`) ? DEADLY : undefined) ??
        (failed.size > 0 && failed.has(before + i) ? failure(failed.get(before + i) ?? null) : undefined);
      if (verdict !== DEADLY) watch?.(data.subarray(from, to));
      row.bytes = data;
      row.from = from;
      row.to = to;
      if (verdict === undefined && !anyBytes && isFramed(data, from, to)) verdict = readAvro(data, from, to);
      else if (verdict === undefined && !allUtf8 && !isUtf8(data.subarray(from, to))) verdict = NOT_UTF8;
      verdict ??= checker.check(row.bytes, row.from, row.to, arrival);
      if (verdict === undefined) {
        dedupe?.landed();
        const eventMs = accept(data, from, to, before + i);
        const seen = eventMs < arrival ? eventMs : arrival;
        if (seen > highest) highest = seen;
      } else if (verdict !== 'duplicate') {
        reject(batch, i, verdict);
      }
      from = to;
    }
    before += batch.count;
    if (highest > Number.NEGATIVE_INFINITY) high.set(batch.shard, highest);
  }

  /** Puts the JSON of a framed record in the place of its bytes. */
  function readAvro(data: Buffer, from: number, to: number): Reject | undefined {
    const read = avro.decode(data, from, to);
    if (read.code !== undefined) return { code: read.code, reason: read.reason, column: null };
    row.bytes = read.json;
    row.from = 0;
    row.to = read.jsonEnd;
    return undefined;
  }

  /** Raw files take the record as it came. */
  function accept(data: Buffer, from: number, to: number, number: number): number {
    const line = checker.line();
    const partition = checker.partition();
    spools.setRow(number);
    if (raw !== undefined) raw.add(partition, data, from, to);
    else if (line === undefined) spools.addBytes(partition, row.bytes, row.from, row.to);
    else spools.addText(partition, line);
    if (checker.extra()) extraRows++;
    rows++;
    return checker.eventMs();
  }

  function reject(batch: RecordBatch, i: number, { code, reason, column }: Reject): void {
    const key = batch.keys.subarray(i === 0 ? 0 : batch.keyEnds[i - 1], batch.keyEnds[i]) as Buffer;
    const data = batch.data.subarray(i === 0 ? 0 : batch.dataEnds[i - 1], batch.dataEnds[i]) as Buffer;
    rejected.add(
      {
        code,
        reason,
        column,
        shard: batch.shard,
        offset: batch.firstOffset + i,
        arrival: new Date(batch.arrivals[i] as number).toISOString(),
        partitionKey: key.toString(),
        data: data.toString('base64'),
      },
      rows + rejects++,
    );
  }

  async function finish(
    connection: DuckDBConnection,
    alive: (bytes: number) => void,
  ): Promise<ConvertAnswer | Failures> {
    const files: ConvertedFile[] = raw === undefined ? [] : await raw.finish(alive);
    const failures = new Map<number, string | null>();
    let filteredRows = 0;
    for (const spool of spools.finish()) {
      alive(spool.bytes);
      if (transform === undefined || rowKey === undefined) {
        files.push(...(await copyOut(connection, spool, { ...job, numberKey })));
        continue;
      }
      const its = { ...job, numberKey, rowKey, transform };
      const useless = survey || failures.size > 0;
      const out = await (useless ? failedRows(connection, spool, its) : transformOut(connection, spool, its));
      if (out instanceof Map) for (const [number, column] of out) failures.set(number, column);
      else if ('files' in out) {
        files.push(...out.files);
        filteredRows += out.filtered;
      }
    }
    if (survey || failures.size > 0) return failures;
    rows -= filteredRows;
    const told = seen === undefined ? {} : { extraKeys: seen.list() };
    const keys = dedupe === undefined ? {} : { dedupe: dedupe.finish(job.directory) };
    const counts = { rows, filteredRows, extraRows };
    return { files, rejected: rejected.finish(), ...counts, ...told, ...keys, eventHighMs: [...high] };
  }

  return {
    add,
    finish,
    close: () => {
      spools.close();
      rejected.close();
    },
  };
}

function dedupeOf({ dedupe, plan }: ConvertJob, known: KeyTable | undefined): Dedupe | undefined {
  if (dedupe === undefined || known === undefined) return undefined;
  const slots = plan.columns.map(({ name }) => name);
  return startDedupe(dedupe, known, slots);
}

function failure(column: string | null): Reject {
  const what = column === null ? 'the filter' : `the expression of '${column}'`;
  return { code: 'transform-failed', reason: `${what} fails on this row`, column };
}

/** A name that no column has, whatever its case. */
export function freeKey({ plan }: ConvertJob, wish = 'partition_number'): string {
  const taken = new Set([...plan.columns.map(({ name }) => name.toLowerCase()), EXTRA_COLUMN]);
  let key = wish;
  while (taken.has(key)) key += '_';
  return key;
}
