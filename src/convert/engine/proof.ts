/**
 * Whether a job works at all: its COPYs, alone and in a group, over one row without values each. What fails here would fail for
 * every record: names, types, formats, the target folder, the engine itself.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { EXTRA_COLUMN } from '../../model/column-plan.ts';
import type { ConvertJob } from '../../ports/converter.ts';
import { freeKey } from './conversion.ts';
import { copyOut } from './copy-out.ts';
import { openRawFiles } from './raw-files.ts';
import { openSpools } from './spools.ts';
import { transformOut } from './transform-out.ts';

/** Throws what the engine throws. */
export async function proveJob(connection: DuckDBConnection, job: ConvertJob, scratch: string): Promise<void> {
  if (job.format === 'raw') {
    const raw = openRawFiles(job);
    raw.add({ number: 0, text: '', rows: 1, eventMinMs: 0, eventMaxMs: 0 }, Buffer.from('{}'), 0, 2);
    await raw.finish(() => undefined);
    return;
  }
  const numberKey = freeKey(job);
  const { transform } = job.plan;
  const rowKey = transform === undefined ? undefined : freeKey(job, 'row_number');
  const spools = openSpools({ folder: scratch, numberKey, rowKey, singlesMax: 1, groupMax: 1 });
  try {
    for (const number of [0, 1]) {
      spools.addText({ number, text: '', rows: 1, eventMinMs: 0, eventMaxMs: 0 }, `{"${EXTRA_COLUMN}":null}`);
    }
    for (const spool of spools.finish()) {
      if (transform === undefined || rowKey === undefined) await copyOut(connection, spool, { ...job, numberKey });
      else await transformOut(connection, spool, { ...job, numberKey, rowKey, transform });
    }
  } finally {
    spools.close();
  }
}
