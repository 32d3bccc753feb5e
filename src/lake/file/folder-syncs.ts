/**
 * Group commit of folder syncs: whoever asks while a sync of the same folder waits to begin shares it, so a thousand files published
 * into one folder at a time cost a few syncs. A sync that has begun is never joined: it may have missed what the caller changed.
 */
import type { LakeFileSystem } from './file-system.ts';

interface Turns {
  running: Promise<void>;
  next: Promise<void> | undefined;
}

/** Gives a `syncFolder` that resolves when everything the caller changed in the folder before the call is durable. */
export function sharedFolderSyncs(fileSystem: LakeFileSystem): LakeFileSystem['syncFolder'] {
  const folders = new Map<string, Turns>();

  function begin(path: string): Promise<void> {
    const turns: Turns = { running: fileSystem.syncFolder(path), next: undefined };
    folders.set(path, turns);
    const end = (): void => {
      if (turns.next === undefined) folders.delete(path);
    };
    turns.running.then(end, end);
    return turns.running;
  }

  return (path) => {
    const turns = folders.get(path);
    if (turns === undefined) return begin(path);
    // How the running sync ends is for those who asked for it.
    turns.next ??= turns.running.then(
      () => begin(path),
      () => begin(path),
    );
    return turns.next;
  };
}
