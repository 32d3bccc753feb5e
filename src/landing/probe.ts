/**
 * Asks a store, once at start-up, for the conditions exactly-once rests on: a second `create` is told `exists`, of racers one wins,
 * a stage is invisible, published twice it is there once. Leaves nothing behind. A store that fails is refused.
 */
import { LakewardError } from '../model/errors.ts';
import { lakePath, SYSTEM_FOLDER } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { LakeStore } from '../ports/lake-store.ts';

const RACERS = 8;

export interface ProbeOptions extends CallOptions {
  /** Makes this probe's paths its own. */
  readonly nonce: string;
  /** A small local file to stage; gone afterwards. */
  readonly local: string;
}

/** Throws `lake-unsuitable` naming the condition that failed, `lake-unavailable` when it could not be found out. */
export async function probeLake(store: LakeStore, { nonce, local, signal }: ProbeOptions): Promise<void> {
  const at = (name: string): ReturnType<typeof lakePath> => lakePath(`${SYSTEM_FOLDER}/probe/${nonce}/${name}`);
  const call = { signal };
  const paths = [at('once'), at('race'), at('final')];
  const staged = at('staged');
  try {
    const bytes = new TextEncoder().encode('first');
    require(await store.create(at('once'), bytes, call), 'created', 'a new file can be created');
    const second = await store.create(at('once'), new TextEncoder().encode('second'), call);
    require(second, 'exists', 'an existing file is not created again');
    require(new TextDecoder().decode(await store.read(at('once'), call)), 'first', 'a file keeps its first content');

    const race = await Promise.all(
      Array.from({ length: RACERS }, (_, i) => store.create(at('race'), new TextEncoder().encode(`racer ${i}`), call)),
    );
    require(race.filter((outcome) => outcome === 'created').length, 1, `one of ${RACERS} racers creates a file`);
    const winner = new TextDecoder().decode(await store.read(at('race'), call));
    require(winner, `racer ${race.indexOf('created')}`, 'the racer who was told so holds the file');

    const handle = await store.stage({ local, staged, final: at('final') }, call);
    require(await store.read(at('final'), call), undefined, 'a stage is not visible');
    require(await store.publish(handle, call), 'published', 'a stage can be published');
    require(await store.publish(handle, call), 'published', 'publishing again changes nothing');
    require((await store.read(at('final'), call))?.length, handle.bytes, 'a published file is whole');
    const listed = await store.list(`${SYSTEM_FOLDER}/probe/${nonce}/`, call);
    require(listed.files.map((file) => file.path).join(), [...paths].sort().join(), 'a listing shows what is there');
  } finally {
    await Promise.allSettled([...paths.map((path) => store.remove(path)), store.discard({ staged })]);
  }
}

function require(found: unknown, wanted: unknown, condition: string): void {
  if (found === wanted) return;
  throw new LakewardError(
    'lake-unsuitable',
    `the lake's store breaks a condition of exactly-once: ${condition} (expected ${String(wanted)}, found ${String(found)})`,
  );
}
