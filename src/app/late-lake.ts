/**
 * A lake that may not be there yet: it is opened by the first call that needs it, and again by the next when that failed, so that a
 * server takes records while its lake is away. Once open it stays open. Nothing is cached of a failure: who calls decides when to
 * call again.
 */
import type { LakeStore } from '../ports/lake-store.ts';
import type { OpenedLake } from './open-lake.ts';

export interface LateLake {
  readonly lake: LakeStore;
  /** Opens the lake if need be. Throws what opening throws. */
  lakeId(): Promise<string>;
}

export function lateLake(open: () => Promise<OpenedLake>): LateLake {
  let opening: Promise<OpenedLake> | undefined;

  async function opened(): Promise<OpenedLake> {
    opening ??= open();
    const mine = opening;
    try {
      return await mine;
    } catch (error) {
      if (opening === mine) opening = undefined;
      throw error;
    }
  }

  const store = async (): Promise<LakeStore> => (await opened()).lake;
  return {
    lakeId: async () => (await opened()).lakeId,
    lake: {
      create: async (...call) => (await store()).create(...call),
      overwrite: async (...call) => (await store()).overwrite(...call),
      read: async (...call) => (await store()).read(...call),
      list: async (...call) => (await store()).list(...call),
      remove: async (...call) => (await store()).remove(...call),
      stage: async (...call) => (await store()).stage(...call),
      publish: async (...call) => (await store()).publish(...call),
      discard: async (...call) => (await store()).discard(...call),
    },
  };
}
