/**
 * Types of the packages that tests and benchmarks use and that bring none: only what is used of them.
 */
declare module 'parquetjs-lite' {
  interface ParquetCursor {
    /** The next row, or null at the end. */
    next(): Promise<Record<string, unknown> | null>;
  }

  class ParquetReader {
    static openFile(path: string): Promise<ParquetReader>;
    static openBuffer(bytes: Buffer): Promise<ParquetReader>;
    getCursor(columns?: readonly string[]): ParquetCursor;
    getRowCount(): { toString(): string };
    close(): Promise<void>;
  }

  /** CommonJS: named imports work under vitest but not under Node, so only the default is declared. */
  const parquet: { readonly ParquetReader: typeof ParquetReader };
  export default parquet;
}

declare module 'kinesalite' {
  import type { Server } from 'node:http';

  interface KinesaliteOptions {
    /** Folder of its database; in memory without it. */
    readonly path?: string;
    readonly createStreamMs?: number;
    readonly deleteStreamMs?: number;
    readonly updateStreamMs?: number;
    readonly shardLimit?: number;
  }

  export default function kinesalite(options?: KinesaliteOptions): Server;
}
