/** Names of landed files. */
import { expect, test } from 'vitest';
import {
  dataFileName,
  extensionOf,
  nameBehind,
  rejectedFileName,
  rejectedFolder,
} from '../../src/delivery/file-name.ts';

const parts = {
  delivery: 'clicks',
  firstArrivalMs: Date.UTC(2026, 10, 22, 9, 8, 7, 654),
  nonce: '019aa9b2-1234-7abc-8def-0123456789ab',
};

test('a data file says delivery, first arrival, landing and number', () => {
  expect(dataFileName(parts, 7, 'parquet')).toBe(
    'clicks-20261122T090807654Z-019aa9b212347abc8def0123456789ab-0007.parquet',
  );
});

test('what takes the place of files comes behind them by name, again and again', () => {
  const others = [0, 3, 1].map((ms) => `d/hour=1/${dataFileName({ ...parts, firstArrivalMs: ms }, ms, 'parquet')}`);
  let behind = nameBehind(others, { delivery: 'clicks', nonce: 'n1' }, 'parquet');
  expect(behind).toBe('clicks-19700101T000000004Z-n1-0000.parquet');
  for (const nonce of ['0', '00']) {
    const next = nameBehind([`d/hour=1/${behind}`], { delivery: 'clicks', nonce }, 'csv.gz.lwenc');
    expect(next > behind).toBe(true);
    behind = next;
  }
  expect(nameBehind(['d/other.txt', ...others], { ...parts, nonce: 'n1' }, 'csv')).toBe(
    'clicks-19700101T000000004Z-n1-0000.csv',
  );
});

test('rejected rows have a name no data file has, in a folder a day', () => {
  expect(rejectedFileName(parts)).toBe('clicks-20261122T090807654Z-019aa9b212347abc8def0123456789ab-rejected.ndjson');
  expect(rejectedFolder('clicks', parts.firstArrivalMs)).toBe('_rejected/clicks/2026-11-22');
});

test.each([
  ['parquet', 'zstd', 'parquet'],
  ['csv', 'none', 'csv'],
  ['csv', 'gzip', 'csv.gz'],
  ['ndjson', 'none', 'ndjson'],
  ['csv', 'zstd', 'csv.zst'],
  ['ndjson', 'gzip', 'ndjson.gz'],
  ['raw', 'none', 'raw'],
  ['raw', 'zstd', 'raw.zst'],
] as const)('%s with %s ends in %s', (format, compression, extension) => {
  expect(extensionOf(format, compression)).toBe(extension);
});
