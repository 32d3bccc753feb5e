/**
 * The newest compaction run of a delivery, told to every process that shares the lake: one small file beside the landing log,
 * `_lakeward/<delivery>/compaction.json`, written over at the end of each run by whoever ran it. No decision hangs on it: two that end at once
 * leave either. One that cannot be read as such is as good as none.
 */
import type { LakePath } from '../model/lake-path.ts';
import { lakePath, SYSTEM_FOLDER } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { CompactionRun } from '../ports/compactions.ts';
import type { LakeStore } from '../ports/lake-store.ts';

const VERSION = 1;

/** Throws `lake-unavailable`. */
export async function saveRun(lake: LakeStore, delivery: string, run: CompactionRun): Promise<void> {
  await lake.overwrite(pathOf(delivery), new TextEncoder().encode(`${JSON.stringify({ v: VERSION, ...run })}\n`));
}

/** Throws `lake-unavailable`. */
export async function readRun(
  lake: LakeStore,
  delivery: string,
  call?: CallOptions,
): Promise<CompactionRun | undefined> {
  const bytes = await lake.read(pathOf(delivery), call);
  if (bytes === undefined) return undefined;
  try {
    const { v, ...run } = JSON.parse(new TextDecoder().decode(bytes)) as CompactionRun & { readonly v: unknown };
    return v === VERSION ? run : undefined;
  } catch {
    return undefined;
  }
}

function pathOf(delivery: string): LakePath {
  return lakePath(`${SYSTEM_FOLDER}/${delivery}/compaction.json`);
}
