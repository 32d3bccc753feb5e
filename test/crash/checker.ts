/**
 * Reads a lake as a stranger would: lists the folder, skips names with `_`, reads Parquet by hyparquet and NDJSON by lines; none of the
 * product's code. Says what broke the promise: every acknowledged event exactly once in landed ∪ rejected, nothing that was not
 * sent, nothing twice, and the events of a key in order within each partition.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { EVENT_ID, type Ledger } from './producer.ts';

export interface Findings {
  readonly landed: number;
  readonly rejected: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly unknown: readonly string[];
  readonly disordered: readonly string[];
}

function filesUnder(folder: string, visible: (name: string) => boolean): string[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  return names.filter(visible).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesUnder(path, visible) : [path];
  });
}

async function eventIds(path: string): Promise<string[]> {
  const bytes = readFileSync(path);
  if (path.endsWith('.parquet')) {
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    return (await parquetReadObjects({ file, columns: ['event_id'], compressors })).map((row) =>
      String(row['event_id']),
    );
  }
  const lines = bytes.toString('utf8').split('\n').filter(Boolean);
  return lines.map((line) => (JSON.parse(line) as { event_id: string }).event_id);
}

function rejectedIds(path: string): string[] {
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => {
    const data = Buffer.from((JSON.parse(line) as { data: string }).data, 'base64').toString('utf8');
    return EVENT_ID.exec(data)?.[1] ?? `unreadable in ${path}`;
  });
}

/** Checks what one delivery landed under `prefix` against the ledger. */
export async function checkLake(lake: string, prefix: string, ledger: Ledger): Promise<Findings> {
  const seen = new Map<string, number>();
  const disordered: string[] = [];
  let landed = 0;
  let rejected = 0;
  const count = (id: string): void => {
    seen.set(id, (seen.get(id) ?? 0) + 1);
  };
  const lastOf = new Map<string, number>();
  for (const path of filesUnder(join(lake, prefix), (name) => !name.startsWith('_') && !name.startsWith('.'))) {
    for (const id of await eventIds(path)) {
      landed++;
      count(id);
      const [client, counter] = id.split('-');
      const lane = `${dirname(path)} ${client}`;
      if (Number(counter) <= (lastOf.get(lane) ?? 0)) disordered.push(`${id} after ${lastOf.get(lane)} in ${path}`);
      lastOf.set(lane, Number(counter));
    }
  }
  for (const path of filesUnder(join(lake, '_rejected', prefix), () => true)) {
    for (const id of rejectedIds(path)) {
      rejected++;
      count(id);
    }
  }
  return {
    landed,
    rejected,
    lost: [...ledger.acknowledged].filter((id) => !seen.has(id)),
    doubled: [...seen].filter(([, times]) => times > 1).map(([id]) => id),
    unknown: [...seen.keys()].filter((id) => !ledger.sent.has(id)),
    disordered,
  };
}

/** Findings as a sentence, or undefined when the promise was kept. */
export function complaint(findings: Findings): string | undefined {
  const bad = (['lost', 'doubled', 'unknown', 'disordered'] as const).filter((kind) => findings[kind].length > 0);
  return bad.length === 0
    ? undefined
    : bad.map((kind) => `${findings[kind].length} ${kind}: ${findings[kind].slice(0, 5).join(', ')}`).join('; ');
}
