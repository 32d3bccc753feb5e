/**
 * Databases of an engine: how they are set up, and the fenced one that SQL of an operator runs in. A fenced one reads and writes below
 * the folders it was given and nowhere else, attaches and loads nothing, and its settings are locked: what the judge of expressions
 * should overlook meets the fence.
 */
import { sep } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { DuckDBInstance } from '@duckdb/node-api';
import type { EngineOptions } from '../protocol.ts';

export async function openInstance({ memoryBytes }: EngineOptions): Promise<DuckDBInstance> {
  return await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: `${Math.floor(memoryBytes / 1024)}KiB`,
    temp_directory: 'spill',
    // With it, whole files that had the names of earlier ones could not be read; the system remembers files as well, and knows when they change.
    enable_external_file_cache: 'false',
  });
}

export async function connectTo(instance: DuckDBInstance): Promise<DuckDBConnection> {
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run('SET preserve_insertion_order = false');
  await connection.run('SET partitioned_write_max_open_files = 1000');
  await connection.run('SET autoinstall_known_extensions = false');
  await connection.run('SET autoload_known_extensions = false');
  return connection;
}

/** Runs `use` in a fenced database of its own. `folders` are absolute. */
export async function inSandbox<T>(
  options: EngineOptions,
  folders: readonly string[],
  use: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const instance = await openInstance(options);
  try {
    const connection = await connectTo(instance);
    try {
      // It takes what several expressions share out of their TRY, and what fails then fails them all.
      await connection.run("SET disabled_optimizers = 'common_subexpressions'");
      const allowed = folders.map((folder) => `'${folder.replaceAll("'", "''")}${sep}'`);
      await connection.run(`SET allowed_directories = [${allowed.join(', ')}]`);
      await connection.run('SET enable_external_access = false');
      await connection.run('SET lock_configuration = true');
      return await use(connection);
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}
