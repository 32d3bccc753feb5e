/**
 * Reads a lake as a stranger would: lists folders, skips names with `_`, reads Parquet by hyparquet and NDJSON by lines, the rejected rows as
 * the lines they are. None of the product's code.
 */
import { readFile, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

export type Row = Readonly<Record<string, unknown>>;

export interface RejectedLine {
  readonly code: string;
  readonly data: Buffer;
}

/** Every file below a folder, as paths relative to it. */
export async function everyFile(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();
}

export async function landedRows(lake: string, prefix: string): Promise<Row[]> {
  const files: Row[][] = [];
  for (const path of await everyFile(join(lake, prefix)).catch(() => [])) {
    if (path.split('/').some((segment) => segment.startsWith('_'))) continue;
    const bytes = await readFile(join(lake, prefix, path));
    if (path.endsWith('.parquet')) {
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
      files.push(await parquetReadObjects({ file, compressors }));
    } else {
      files.push(linesOf(bytes));
    }
  }
  return files.flat();
}

/** The `id` of every landed row, ascending. */
export async function landedIds(lake: string, prefix: string): Promise<string[]> {
  return (await landedRows(lake, prefix)).map((row) => String(row['id'])).toSorted();
}

export async function rejectedLines(lake: string, delivery: string): Promise<RejectedLine[]> {
  const lines: RejectedLine[] = [];
  const folder = join(lake, '_rejected', delivery);
  for (const path of await everyFile(folder).catch(() => [])) {
    for (const line of linesOf(await readFile(join(folder, path)))) {
      lines.push({ code: String(line['code']), data: Buffer.from(String(line['data']), 'base64') });
    }
  }
  return lines;
}

function linesOf(bytes: Buffer): Row[] {
  const lines = bytes.toString('utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Row);
}
