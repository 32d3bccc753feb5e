/**
 * The small file of facts about one stream's log that its segments cannot tell: what it was opened with, up to where retention
 * took records, which offsets damage took. Replaced as a whole. A missing or damaged file costs names for gaps, never records:
 * the log is then read from its first segment. JSON in one line, after the CRC of that line: FORMAT.md.
 */
import { crc32 } from 'node:zlib';
import { type FileSystem, readWhole, replaceFile } from './file-system.ts';

export interface DamagedRange {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
}

export interface StreamState {
  readonly version: 1;
  readonly shardCount: number;
  readonly retentionMs: number;
  /** Segments with a lower base are gone, even if a crash brings their files back. */
  readonly retainedFrom: number;
  /** By shard: offsets before these expired. */
  readonly expired: readonly number[];
  readonly damaged: readonly DamagedRange[];
}

const NAME = 'state.json';

/** The state of a log in `folder`; undefined when there is none or it is damaged. */
export async function loadState(files: FileSystem, folder: string): Promise<StreamState | undefined> {
  const bytes = await readWhole(files, `${folder}/${NAME}`);
  if (bytes === undefined) return undefined;
  const [, crc, body] = /^([0-9a-f]{8}) (\{.*\})\n$/.exec(new TextDecoder().decode(bytes)) ?? [];
  if (crc === undefined || body === undefined || crc !== crcOf(body)) return undefined;
  const state = JSON.parse(body) as StreamState;
  return state.version === 1 ? state : undefined;
}

/** Durable when it resolves. */
export async function saveState(files: FileSystem, folder: string, state: StreamState): Promise<void> {
  const body = JSON.stringify(state);
  await replaceFile(files, `${folder}/${NAME}`, new TextEncoder().encode(`${crcOf(body)} ${body}\n`));
  await files.syncFolder(folder);
}

function crcOf(body: string): string {
  return crc32(body).toString(16).padStart(8, '0');
}
