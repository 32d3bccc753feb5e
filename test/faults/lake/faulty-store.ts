/**
 * A lake store as one process of a seeded world sees it: every call is a turn of the world, which may fail it before or after it took
 * effect, apply it late, or end the process. Local files are texts: their name is their content.
 */
import type { LakeStore } from '../../../src/ports/lake-store.ts';
import type { Actor, World } from './world.ts';

export function faultyStore(inner: LakeStore, world: World, actor: Actor): LakeStore {
  const turn = <T>(apply: () => Promise<T>): Promise<T> => world.turn(actor, apply, true);
  return {
    create: (path, bytes, options) => turn(() => inner.create(path, bytes, options)),
    overwrite: (path, bytes, options) => turn(() => inner.overwrite(path, bytes, options)),
    read: (path, options) => turn(() => inner.read(path, options)),
    list: (prefix, options) => turn(() => inner.list(prefix, options)),
    remove: (path, options) => turn(() => inner.remove(path, options)),
    stage: (file, options) => turn(() => inner.stage(file, options)),
    publish: (handle, options) => turn(() => inner.publish(handle, options)),
    discard: (handle, options) => turn(() => inner.discard(handle, options)),
  };
}
