/**
 * Counts rows on their way through a query and sums up their hashes, so that what a COPY reads is known without reading it twice: a function
 * of SQL, true for every row, that remembers what it saw. Equal rows in any order give equal digests, a different number of duplicates others.
 */
import { BOOLEAN, type DuckDBConnection, DuckDBScalarFunction, DuckDBUBigIntVector, UBIGINT } from '@duckdb/node-api';
import type { RowDigest } from '../../ports/converter.ts';

const NAME = 'lakeward_tally';

export interface RowTally {
  /** A condition that holds, for a WHERE. `hash` is a UBIGINT of each row. */
  condition(hash: string): string;
  reset(): void;
  digest(): RowDigest;
}

/** One a connection. */
export function rowTally(connection: DuckDBConnection): RowTally {
  let rows = 0;
  let sum = 0n;
  let low = 0;
  let high = 0;

  function add(hashes: BigUint64Array, count: number): void {
    const halves = new Uint32Array(hashes.buffer, hashes.byteOffset, 2 * count);
    // Exact: a chunk has a few thousand rows.
    let lows = 0;
    let highs = 0;
    for (let i = 0; i < halves.length; i += 2) {
      const one = halves[i] ?? 0;
      const other = halves[i + 1] ?? 0;
      lows += one;
      highs += other;
      low ^= one;
      high ^= other;
    }
    rows += count;
    sum += (BigInt(highs) << 32n) + BigInt(lows);
  }

  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name: NAME,
      parameterTypes: [UBIGINT],
      returnType: BOOLEAN,
      // Never left out, moved or answered for several rows at once.
      volatile: true,
      // What it gives is not written: that it is not NULL is all that counts.
      mainFunction(_info, chunk) {
        const hashes = chunk.getColumnVector(0);
        // One by one they would be a BigInt each.
        const items: unknown = hashes instanceof DuckDBUBigIntVector ? Reflect.get(hashes, 'items') : undefined;
        if (!(items instanceof BigUint64Array)) throw new Error('hashes of rows are not numbers');
        add(items, chunk.rowCount);
      },
    }),
  );

  return {
    condition: (hash) => `${NAME}(${hash}) IS NOT NULL`,
    reset() {
      [rows, sum, low, high] = [0, 0n, 0, 0];
    },
    digest: () => ({
      rows,
      checksum: `${sum.toString(16)}-${((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString(16)}`,
    }),
  };
}
