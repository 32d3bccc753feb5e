import { expect, test } from 'vitest';
import type { DeliveryStatus } from '../../src/app/control-answers.ts';
import { deliveryTable, troubleLines } from '../../src/cli/delivery/list.ts';

const fine = {
  spec: { name: 'd', stream: 's', format: 'csv' },
  state: 'running',
  rows: 5,
  files: 1,
  rejects: { openRows: 0, skippedRows: 0 },
  filteredRows: 0,
  extraRows: 0,
  lateRows: 0,
  lostOffsets: 0,
  pending: { records: 3, bytes: 30, oldestArrivalMs: 1000 },
} as unknown as DeliveryStatus;
const cells = (line: string | undefined): string[] => line?.split(/ {2,}/) ?? [];

test('deliveries show the age of the oldest waiting record, and late, extra and lost rows where there are any', () => {
  const [header, row] = deliveryTable([fine], 91_000);
  expect(cells(header)).toEqual([
    'delivery',
    'stream',
    'state',
    'format',
    'rows',
    'files',
    'rejected',
    'waiting',
    'oldest',
  ]);
  expect(cells(row)).toEqual(['d', 's', 'running', 'csv', '5', '1', '0', '3', '1 min 30 s']);
  const odd = deliveryTable([fine, { ...fine, lateRows: 7, lostOffsets: 1200 }], 91_000);
  expect(cells(odd[0]).slice(6)).toEqual(['rejected', 'late', 'lost', 'waiting', 'oldest']);
  expect(cells(odd[2]).slice(6)).toEqual(['0', '7', '1,200', '3', '1 min 30 s']);
});

test('trouble is a line with state, time, message and code', () => {
  const trouble = { code: 'disk-full', message: 'no room', sinceMs: 0 } as const;
  expect(troubleLines([fine, { ...fine, state: 'retrying', trouble }])).toEqual([
    'd is retrying since 1970-01-01T00:00:00Z: no room [disk-full]',
  ]);
});
