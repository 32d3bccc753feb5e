/** `lakeward lake report`: CSV, one line a folder and class, then what requests cost, then what a day costs. */
import { readFile } from 'node:fs/promises';
import type { ReportRow, ServerStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { LIST_PRICES, type Prices, pricesOf, requestsIn, requestsPerDay, storagePerDay } from './prices.ts';

const DAY_MS = 86_400_000;
/** Requests of a shorter time say nothing about a day. */
const OBSERVED_MS_MIN = 60_000;
// biome-ignore format: as the file has it
const HEADER = [
  'line', 'prefix', 'delivery', 'kind', 'storage_class', 'files', 'bytes', 'oldest', 'newest', 'last_access',
  'cost_per_day', 'suggestion',
];

export const lakeReport: Command = {
  name: 'lake report',
  summary: 'Writes a CSV of files and bytes by folder, age and storage class, with costs a day and what to move',
  arguments: [],
  options: {
    depth: { value: 'n', about: 'levels of folders below each delivery that get lines of their own (default 1)' },
    prices: { value: 'file', about: 'JSON with prices of your own: {asOf, currency, gibMonth, thousandRequests}' },
  },
  examples: ['lakeward lake report > lake.csv', 'lakeward lake report --depth 3 --prices prices.json --json'],
  async run(call) {
    const client = call.client();
    const prices = await pricesFrom(call.option('prices'));
    const depth = call.number('depth', 0, 16) ?? 1;
    const { rows } = await client.get<{ rows: readonly ReportRow[] }>(`/v1/lake/report?depth=${depth}`, call.signal);
    const { startedMs } = await client.get<ServerStatus>('/v1/status', call.signal);
    const metrics = new TextDecoder().decode(await client.bytes('/metrics', call.signal));
    const observedMs = call.clock.nowMs() - startedMs;
    const report = costed({ rows, prices, requests: requestsIn(metrics), observedMs });
    if (call.terminal.json) call.terminal.document(report);
    else for (const line of csvOf(report, prices)) call.terminal.data(line);
    if (observedMs < OBSERVED_MS_MIN) call.terminal.say('the server runs for less than a minute: no costs of requests');
    return EXIT.ok;
  },
};

export interface CostedReport {
  readonly prices: { readonly asOf: string; readonly currency: string };
  readonly rows: readonly (ReportRow & { readonly costPerDay: number })[];
  /** Since the server started, as a day of them would cost. */
  readonly requests: readonly { readonly operation: string; readonly perDay: number; readonly costPerDay: number }[];
  readonly costPerDay: number;
}

export function costed(given: {
  readonly rows: readonly ReportRow[];
  readonly prices: Prices;
  readonly requests: ReadonlyMap<string, number>;
  readonly observedMs: number;
}): CostedReport {
  const { prices, observedMs } = given;
  const rows = given.rows.map((row) => ({ ...row, costPerDay: storagePerDay(prices, row.storageClass, row.bytes) }));
  const counted = observedMs < OBSERVED_MS_MIN ? [] : [...given.requests];
  const requests = counted.map(([operation, count]) => {
    const perDay = Math.round((count * DAY_MS) / observedMs);
    return { operation, perDay, costPerDay: requestsPerDay(prices, operation, perDay) };
  });
  const costPerDay = [...rows, ...requests].reduce((sum, { costPerDay: cost }) => sum + cost, 0);
  return { prices: { asOf: prices.asOf, currency: prices.currency }, rows, requests, costPerDay };
}

export function csvOf(report: CostedReport, prices: Prices): string[] {
  const note = `list prices of ${prices.asOf} in ${prices.currency}, an estimate`;
  const total = { files: 0, bytes: 0 };
  const rows = report.rows.map((row) => {
    total.files += row.files;
    total.bytes += row.bytes;
    const { prefix, delivery, kind, storageClass, files, bytes, oldestMs, newestMs, lastAccessMs, suggestion } = row;
    const access = lastAccessMs === undefined ? '' : isoOf(lastAccessMs);
    const facts = [prefix, delivery, kind, storageClass, files, bytes, isoOf(oldestMs), isoOf(newestMs), access];
    return ['files', ...facts, money(row.costPerDay), suggestion];
  });
  const requests = report.requests.map(({ operation, perDay, costPerDay }) => {
    const named = `${perDay} ${operation} a day at the rate since the start`;
    return ['requests', '', '', operation, '', '', '', '', '', '', money(costPerDay), named];
  });
  const sum = ['total', '', '', '', '', total.files, total.bytes, '', '', '', money(report.costPerDay), note];
  return [HEADER, ...rows, ...requests, sum].map((cells) => cells.map(cell).join(','));
}

function cell(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function money(amount: number): string {
  return amount.toFixed(6);
}

function isoOf(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

async function pricesFrom(file: string | undefined): Promise<Prices> {
  if (file === undefined) return LIST_PRICES;
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file} cannot be read as JSON: ${(error as Error).message}`);
  }
  const prices = pricesOf(value);
  if (prices !== undefined) return prices;
  throw new UsageError(
    `${file} is no table of prices: {asOf, currency, gibMonth: {class: price}, thousandRequests: {operation: price}}`,
  );
}
