/** `node compact-copy.ts FOLDER TARGET SORT`: the ceiling of bench:compact. One DuckDB COPY of all files, with the codec Lakeward uses. */
import { DuckDBInstance } from '@duckdb/node-api';

const [source, target, sort] = process.argv.slice(2);
const instance = await DuckDBInstance.create(':memory:', {
  threads: '1',
  memory_limit: '512MB',
  temp_directory: `${target}.spill`,
});
const connection = await instance.connect();
await connection.run("SET preserve_insertion_order = false; SET TimeZone = 'UTC'");
const order = sort === 'none' ? '' : `ORDER BY ${sort}`;
console.log('started');
await connection.run(
  `COPY (SELECT * FROM read_parquet('${source}/*.parquet') ${order}) TO '${target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`,
);
console.log('ended');
