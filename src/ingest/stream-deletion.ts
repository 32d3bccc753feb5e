/**
 * Deleting streams: one change of the catalog takes the stream out and notes that its storage shall go; then the storage goes, then the
 * note. Whoever began may die or lose Kafka in between: every process finishes what is noted. Nothing else drops storage of a stream that
 * was ever in the catalog.
 */
import { isLakewardError } from '../model/errors.ts';
import type { StreamDocument, StreamId } from '../model/stream.ts';
import type { Broker } from '../ports/broker.ts';
import type { Catalog, CatalogEdit } from '../ports/catalog.ts';

interface DeletionRoom {
  readonly broker: Broker;
  readonly catalog: Catalog;
}

export function deletionOf({ name, id }: StreamDocument, deletedMs: number): readonly CatalogEdit[] {
  return [
    { kind: 'stream', key: name },
    { kind: 'deletion', key: id, document: { id, name, deletedMs } },
  ];
}

/** Nothing for a stream whose deletion is not noted. */
export async function finishDeletion({ broker, catalog }: DeletionRoom, id: StreamId): Promise<void> {
  if (!catalog.read().deletion.has(id)) return;
  await broker.remove(id);
  await catalog.edit(({ deletion }) => (deletion.has(id) ? [{ kind: 'deletion', key: id }] : []));
}

/** One that fails does not keep the others from theirs. */
export async function finishDeletions(room: DeletionRoom, signal: AbortSignal): Promise<void> {
  const failures: unknown[] = [];
  for (const { id } of room.catalog.read().deletion.values()) {
    signal.throwIfAborted();
    try {
      await finishDeletion(room, id);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Whether a change that failed with this is known not to have been made: an answer that got lost says nothing. */
export function isRefused(error: unknown): boolean {
  return (['stream-exists', 'argument-invalid', 'catalog-conflict'] as const).some((code) =>
    isLakewardError(error, code),
  );
}
