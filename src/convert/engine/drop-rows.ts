/**
 * A file without the rows that hold one of some values in a field, in the order they had. The field is looked for where a record's field can
 * have gone: its column (also within structures and JSON), and `_extra`. A value counts as found when it is the same as text, or the same as
 * a value of the column's type. What was written is read back and compared with what was to be kept.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { EXTRA_COLUMN } from '../../model/column-plan.ts';
import type { DropJob, DropResult, MergeJob } from '../../ports/converter.ts';
import { literal, name } from './column-sql.ts';
import { extensionOf, formatOptions, statisticsOf } from './copy-out.ts';
import { guardedText } from './formula-guard.ts';
import { digestOf, linked, unlink } from './merge-files.ts';
import { jsonPath, type MergeSource, mergeSource, typesOf } from './merge-source.ts';

const WANTED = 'wanted_values';

/** `alive` is called before each step, with the bytes it goes through. Throws when the rows written are not those to be kept. */
export async function dropRows(
  connection: DuckDBConnection,
  job: DropJob,
  alive: (bytes: number) => void,
): Promise<DropResult> {
  const { format, directory, bytes, local } = job;
  const merge: MergeJob = { ...job, inputs: [{ local, planVersion: 1 }], sort: [] };
  alive(bytes);
  unlink();
  const source = await mergeSource(connection, merge, linked([local]));
  await want(connection, job.values);
  const hits = job.values.length === 0 ? [] : await hitsOf(connection, job, source);
  const hit = hits.length === 0 ? 'false' : hits.map((one) => `coalesce(${one}, false)`).join(' OR ');
  alive(bytes);
  const counted = await connection.runAndReadAll(
    `SELECT count(*) AS n, count(*) FILTER (WHERE ${hit}) AS hits FROM ${source.from}`,
  );
  const [count] = counted.getRowObjectsJson();
  const [rows, matched] = [Number(count?.['n']), Number(count?.['hits'])];
  const result: DropResult = { rows, matched, hasField: hits.length > 0 };
  if (!job.rewrite || matched === 0 || matched === rows) return result;
  const from = `(SELECT * FROM ${source.from} WHERE NOT (${hit}))`;
  alive(bytes);
  const digest = await digestOf(connection, { from, hashed: source.hashed });
  const made = join(directory, `kept.${extensionOf(job)}`);
  alive(bytes);
  const options = formatOptions(job).join(', ');
  const copied = await connection.runAndReadAll(
    `COPY (SELECT ${source.select} FROM ${from}) TO ${literal(made)} (${options})`,
  );
  const { size } = statSync(made);
  alive(size);
  const written = await digestOf(connection, await mergeSource(connection, merge, linked([made])));
  if (written.rows !== rows - matched || written.rows !== digest.rows || written.checksum !== digest.checksum) {
    throw new Error(`${digest.rows} rows (${digest.checksum}) to be kept gave ${written.rows} (${written.checksum})`);
  }
  const columns = format === 'parquet' ? [...statisticsOf(copied.getRowObjectsJson(), []).values()].at(0)?.columns : [];
  return { ...result, kept: { local: made, bytes: size, columns: columns ?? [], digest } };
}

async function want(connection: DuckDBConnection, values: readonly string[]): Promise<void> {
  const list = values.length === 0 ? '[]::VARCHAR[]' : `[${values.map(literal).join(', ')}]`;
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${WANTED} AS SELECT unnest(${list}) AS value`);
}

/** Conditions that a row may meet; none when the file has no place for the field. */
async function hitsOf(
  connection: DuckDBConnection,
  { field, format }: DropJob,
  source: MergeSource,
): Promise<string[]> {
  const keys = field.split('.');
  const [head = '', ...rest] = keys;
  const { types } = source;
  if (types === undefined) {
    return [keys, [EXTRA_COLUMN, ...keys]].map((path) => isWanted(inJson(name('json'), path)));
  }
  const hits: string[] = [];
  const type = types.get(head);
  if (type !== undefined && rest.length === 0) hits.push(...asColumn(name(head), type));
  if (type !== undefined && rest.length === 0 && format === 'csv') {
    hits.push(`${name(head)} IN (SELECT ${guardedText('value')} FROM ${WANTED})`);
  }
  if (type === 'VARCHAR' || type === 'JSON') if (rest.length > 0) hits.push(isWanted(inJson(name(head), rest)));
  if (type?.startsWith('STRUCT(') === true && rest.length > 0) {
    const value = rest.reduce((within, key) => `struct_extract(${within}, ${literal(key)})`, name(head));
    const its = await typesOf(connection, `(SELECT ${value} AS value FROM ${source.from})`).catch(() => undefined);
    if (its !== undefined) hits.push(...asColumn(value, its.get('value') ?? 'VARCHAR'));
  }
  if (types.has(EXTRA_COLUMN)) hits.push(isWanted(inJson(name(EXTRA_COLUMN), keys)));
  return hits;
}

function asColumn(value: string, type: string): string[] {
  const text = isWanted(`CAST(${value} AS VARCHAR)`);
  if (type === 'VARCHAR') return [text];
  const typed = `TRY_CAST(value AS ${type})`;
  return [text, `${value} IN (SELECT ${typed} FROM ${WANTED} WHERE ${typed} IS NOT NULL)`];
}

function isWanted(text: string): string {
  return `${text} IN (SELECT value FROM ${WANTED})`;
}

function inJson(value: string, keys: readonly string[]): string {
  return `CASE WHEN json_valid(${value}) THEN json_extract_string(${value}, ${literal(jsonPath(keys))}) END`;
}
