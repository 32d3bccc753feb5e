/**
 * One SQL question over local files, for programs that look at a lake from outside, such as the demo. Runs in the caller's process, in memory,
 * without network or extensions to fetch; it is no part of the way from stream to lake.
 */
import { DuckDBInstance } from '@duckdb/node-api';
import type { Json } from '@duckdb/node-api';

export type AnswerRow = Readonly<Record<string, Json>>;

/** The rows of the answer. Whole numbers beyond 32 bits come as text, as JSON readers expect. */
export async function queryFiles(sql: string): Promise<readonly AnswerRow[]> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    autoinstall_known_extensions: 'false',
    allow_community_extensions: 'false',
  });
  try {
    const connection = await instance.connect();
    try {
      const reader = await connection.runAndReadAll(sql);
      return reader.getRowObjectsJson();
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}
