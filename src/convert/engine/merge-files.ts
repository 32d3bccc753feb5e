/**
 * Files of one format to one file with the same rows: a COPY that makes a digest of the rows it reads, and a digest of what was written, read
 * back. That the inputs were read to their end is told by who knows how many rows landed. Nothing is decided about values: text formats are passed on as text. What columns the files have is in `merge-source.ts`.
 */
import { readdirSync, statSync, symlinkSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { MergeJob, MergeResult, RowDigest } from '../../ports/converter.ts';
import { literal } from './column-sql.ts';
import { extensionOf, formatOptions, statisticsOf } from './copy-out.ts';
import { type MergeSource, mergeSource } from './merge-source.ts';
import { type RowTally, rowTally } from './row-tally.ts';

export { ColumnsDifferError } from './merge-source.ts';

const LINK = 'merge-';
const PLAIN = /^[\w.-]+$/;
let linksMade = 0;
/** A sort goes through its bytes more than once, and through many times what they are compressed. */
const SORT_PASSES = 4;

/** `alive` is called before each step, with the bytes it goes through. Throws when the rows written are not those read. */
export async function mergeFiles(
  connection: DuckDBConnection,
  job: MergeJob,
  alive: (bytes: number) => void,
): Promise<MergeResult> {
  alive(job.bytes);
  unlink();
  const source = await mergeSource(connection, job, linked(newestFirst(job)));
  const tally = tallyOf(connection);
  const local = join(job.directory, `merged.${extensionOf(job)}`);
  alive(job.bytes * (source.order.length === 0 ? 1 : SORT_PASSES));
  const order = source.order.length === 0 ? '' : ` ORDER BY ${source.order.join(', ')}`;
  const copied = await connection.runAndReadAll(
    `COPY (SELECT ${source.select} FROM ${source.from} WHERE ${tally.condition(`hash(${source.hashed})`)}${order}) TO ${literal(local)} (${formatOptions(job).join(', ')})`,
  );
  const digest = tally.digest();
  const { size } = statSync(local);
  alive(size);
  const written = await digestOf(connection, await mergeSource(connection, job, linked([local])));
  if (written.rows !== digest.rows || written.checksum !== digest.checksum) {
    throw new Error(`a merge of ${digest.rows} rows (${digest.checksum}) gave ${written.rows} (${written.checksum})`);
  }
  const facts =
    job.format === 'parquet' ? [...statisticsOf(copied.getRowObjectsJson(), []).values()].at(0)?.columns : [];
  return { local, bytes: size, columns: facts ?? [], digest };
}

/** Removes the names that an earlier call left. */
export function unlink(): void {
  for (const link of readdirSync('.')) if (link.startsWith(LINK)) unlinkSync(link);
}

const tallies = new WeakMap<DuckDBConnection, RowTally>();

function tallyOf(connection: DuckDBConnection): RowTally {
  const tally = tallies.get(connection) ?? rowTally(connection);
  tallies.set(connection, tally);
  tally.reset();
  return tally;
}

/** Names below the working folder, for the engine takes some characters of a path for patterns. Those of one folder share a link. */
export function linked(locals: readonly string[]): string[] {
  const links = new Map<string, string>();
  return locals.map((local) => {
    const named = basename(local);
    const target = PLAIN.test(named) ? dirname(local) : local;
    let link = links.get(target);
    if (link === undefined) {
      // Never a name again that the engine knows: it may remember what was in a file.
      link = `${LINK}${linksMade++}`;
      symlinkSync(target, link);
      links.set(target, link);
    }
    return target === local ? link : `${link}/${named}`;
  });
}

function newestFirst({ inputs }: MergeJob): string[] {
  const newest = inputs.reduce((best, { planVersion }, i) => {
    return planVersion > (inputs[best]?.planVersion ?? -1) ? i : best;
  }, 0);
  const first = inputs[newest]?.local;
  return [...(first === undefined ? [] : [first]), ...inputs.flatMap(({ local }, i) => (i === newest ? [] : [local]))];
}

/** Sum and exclusive or of the hashes of the rows: equal for equal rows in any order, of a different number of duplicates different. */
export async function digestOf(
  connection: DuckDBConnection,
  { from, hashed }: Pick<MergeSource, 'from' | 'hashed'>,
): Promise<RowDigest> {
  const answer = await connection.runAndReadAll(
    `SELECT count(*) AS n, coalesce(sum(h::HUGEINT), 0)::VARCHAR AS s, coalesce(bit_xor(h), 0)::VARCHAR AS x
     FROM (SELECT hash(${hashed}) AS h FROM ${from})`,
  );
  const row = answer.getRowObjectsJson()[0];
  const hex = (value: unknown): string => BigInt(String(value)).toString(16);
  return { rows: Number(row?.['n']), checksum: `${hex(row?.['s'])}-${hex(row?.['x'])}` };
}
