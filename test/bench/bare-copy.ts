/**
 * `node bare-copy.ts EVENTS.ndjson FOLDER`: the ceiling of bench:land. One DuckDB COPY, typed as the clickstream schema, hourly zstd
 * Parquet; prints seconds, CPU seconds and files as JSON.
 */
import { readdirSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';

const [source, target] = process.argv.slice(2);
const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
const connection = await instance.connect();
await connection.run("SET preserve_insertion_order = false; SET TimeZone = 'UTC'");
const started = performance.now();
const before = process.cpuUsage();
await connection.run(`COPY (
  SELECT *, strftime(event_time, '%Y') AS year, strftime(event_time, '%m') AS month, strftime(event_time, '%d') AS day, strftime(event_time, '%H') AS hour
  FROM read_ndjson('${source}', columns = {event_id: 'VARCHAR', event_time: 'TIMESTAMPTZ', user_id: 'VARCHAR', session_id: 'VARCHAR',
    page: 'VARCHAR', referrer: 'VARCHAR', action: 'VARCHAR', product_id: 'VARCHAR', price: 'DOUBLE', quantity: 'INTEGER', country: 'VARCHAR',
    device: 'VARCHAR', duration_ms: 'BIGINT', is_member: 'BOOLEAN'})
) TO '${target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARTITION_BY (year, month, day, hour), OVERWRITE_OR_IGNORE)`);
const used = process.cpuUsage(before);
const files = readdirSync(target ?? '', { recursive: true }).filter((name) => String(name).endsWith('.parquet')).length;
console.log(
  JSON.stringify({ seconds: (performance.now() - started) / 1000, cpu: (used.user + used.system) / 1e6, files }),
);
