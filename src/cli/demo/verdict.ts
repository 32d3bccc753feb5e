/**
 * Asks the landed files themselves, with SQL and not through the server, whether everything that was acknowledged is there exactly once.
 */
import { join } from 'node:path';
import { queryFiles } from '../../app/query-files.ts';
import type { SentCounts } from './demo-source.ts';

export interface Check {
  readonly what: string;
  readonly sent: number;
  readonly found: number;
  readonly ok: boolean;
}

export interface Verdict {
  readonly checks: readonly Check[];
  readonly sql: string;
  readonly answer: readonly Readonly<Record<string, unknown>>[];
}

/** `rejected`: rejected rows the server reports, for flights and for metrics. */
export async function verdict(
  lake: string,
  sent: SentCounts,
  rejected: { readonly flights: number; readonly metrics: number },
): Promise<Verdict> {
  const flights = `read_parquet(${quoted(join(lake, 'flights/year=*/**/*.parquet'))}, hive_partitioning = false, union_by_name = true)`;
  const metrics = `read_csv(${quoted(join(lake, 'host-metrics/device_id=*/*.csv'))}, hive_partitioning = false, union_by_name = true)`;
  const [counts] = await queryFiles(
    `SELECT (SELECT count(*) FROM ${flights}) AS flights, (SELECT count(DISTINCT flight_id) FROM ${flights}) AS flight_ids,
     (SELECT count(*) FROM ${metrics}) AS metrics, (SELECT count(DISTINCT (device_id, measured_at)) FROM ${metrics}) AS measurements`,
  );
  const sql = `SELECT origin AS airport, count(*) AS flights, round(avg(delay_minutes), 1) AS mean_delay
FROM ${flights}
GROUP BY ALL HAVING count(*) > 100 ORDER BY mean_delay DESC LIMIT 5`;
  const check = (what: string, count: number, found: unknown): Check => ({
    what,
    sent: count,
    found: Number(found),
    ok: count === Number(found),
  });
  return {
    checks: [
      check('flights landed', sent.flights, counts?.['flights']),
      check('different flights', sent.flights, counts?.['flight_ids']),
      check('flights rejected', sent.flightsBroken, rejected.flights),
      check('metrics landed', sent.metrics, counts?.['metrics']),
      check('different metrics', sent.metrics, counts?.['measurements']),
      check('metrics rejected', sent.metricsBroken, rejected.metrics),
    ],
    sql,
    answer: await queryFiles(sql),
  };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
