/**
 * Which lake this is: `_lakeward/lake.json`, made once when the lake is first used. A folder that was emptied, swapped or restored
 * under a running server has no id or another, and nothing is committed to it: what landed before would land again.
 */
import { LakewardError } from '../model/errors.ts';
import { LAKE_ID_PATH } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import { repeated } from './retry.ts';

/** `clock`: when it was made; `known`: the id this lake had when it was last opened, if anybody remembers. */
export interface OpenLakeOptions extends CallOptions {
  readonly clock: Clock;
  readonly known?: string | undefined;
}

/**
 * The lake's id, made when there is none and none is known. Throws `incarnation-mismatch` when the id is another than the known one
 * or gone, `lake-unavailable`.
 */
export async function openLake(store: LakeStore, options: OpenLakeOptions): Promise<string> {
  const { clock, known, signal } = options;
  const read = (): Promise<string | undefined> => repeated({ clock }, () => readLakeId(store, { signal }), { signal });
  let id = await read();
  if (id === undefined && known === undefined) {
    const made = { v: 1, id: clock.uuid(), createdMs: clock.nowMs() };
    const bytes = new TextEncoder().encode(`${JSON.stringify(made)}\n`);
    // Also says that the file is durable when somebody else made it.
    await repeated({ clock }, () => store.create(LAKE_ID_PATH, bytes, { signal }), { signal });
    id = await read();
  }
  if (id === undefined || (known !== undefined && id !== known)) throw mismatch(known, id);
  return id;
}

/** Throws unless the lake still is the one it was. */
export async function checkLake(store: LakeStore, known: string, call?: CallOptions): Promise<void> {
  const id = await readLakeId(store, call);
  if (id !== known) throw mismatch(known, id);
}

async function readLakeId(store: LakeStore, call?: CallOptions): Promise<string | undefined> {
  const bytes = await store.read(LAKE_ID_PATH, call);
  if (bytes === undefined) return undefined;
  try {
    const { id } = JSON.parse(new TextDecoder().decode(bytes)) as { id?: unknown };
    if (typeof id === 'string' && id !== '') return id;
  } catch {
    // Named below.
  }
  throw new LakewardError('landing-log-damaged', `${LAKE_ID_PATH} does not hold the id of a lake; restore it`);
}

function mismatch(known: string | undefined, found: string | undefined): LakewardError {
  const state = found === undefined ? 'has no id any more: it was emptied or deleted' : `has the id ${found}`;
  return new LakewardError(
    'incarnation-mismatch',
    `the lake was ${known ?? 'unknown'} and now ${state}; nothing is landed, since what landed before would land twice: bring the lake back and resume the deliveries, or accept it as it is: stop the server, remove the lake's line from lakes.json in the data folder, start again`,
    { details: { known, found } },
  );
}
