import { expect, test } from 'vitest';
import { sharedFolderSyncs } from '../../src/lake/file/folder-syncs.ts';
import { diskFileSystem } from '../../src/lake/file/file-system.ts';

interface Sync {
  readonly path: string;
  end(): void;
  fail(error: Error): void;
}

function bench(): { begun: Sync[]; sync: (path: string) => Promise<void> } {
  const begun: Sync[] = [];
  const syncFolder = (path: string): Promise<void> =>
    new Promise((end, fail) => {
      begun.push({ path, end, fail });
    });
  return { begun, sync: sharedFolderSyncs({ ...diskFileSystem, syncFolder }) };
}

const turns = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

test('who asks while a sync runs waits for one that begins later, and all who wait share it', async () => {
  const { begun, sync } = bench();
  const done: string[] = [];
  const all = [
    sync('/a').then(() => done.push('first')),
    ...['second', 'third'].map((name) => sync('/a').then(() => done.push(name))),
  ];
  expect(begun).toHaveLength(1);
  begun[0]?.end();
  await turns();
  expect(done).toEqual(['first']);
  expect(begun).toHaveLength(2);
  const fourth = sync('/a').then(() => done.push('fourth'));
  begun[1]?.end();
  await turns();
  expect(done).toEqual(['first', 'second', 'third']);
  begun[2]?.end();
  await Promise.all([...all, fourth]);
  expect(begun).toHaveLength(3);
  void sync('/a');
  expect(begun).toHaveLength(4);
});

test('folders do not wait for each other, and a failure is told to those who shared it and no other', async () => {
  const { begun, sync } = bench();
  const asked = ['/a', '/a', '/a', '/b'].map((path) => sync(path).catch((error: Error) => error.message));
  expect(begun.map(({ path }) => path)).toEqual(['/a', '/b']);
  begun[1]?.end();
  begun[0]?.end();
  await turns();
  begun[2]?.fail(new Error('EIO'));
  expect(await Promise.all(asked)).toEqual([undefined, 'EIO', 'EIO', undefined]);
  const after = sync('/a');
  begun[3]?.end();
  await after;
});
