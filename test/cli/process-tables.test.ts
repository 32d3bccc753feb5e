import { expect, test } from 'vitest';
import type { DeliveryStatus, KnownProcess } from '../../src/app/control-answers.ts';
import { fleetLines, processTable, rangesOf, shareTable } from '../../src/cli/process-tables.ts';

const NOW_MS = 1_000_000_000_000;

function aProcess(pid: number, changes: Partial<KnownProcess> = {}): KnownProcess {
  return {
    id: String(pid),
    host: 'web',
    pid,
    url: `http://web:${pid}`,
    roles: ['deliver'],
    version: '1',
    startedMs: NOW_MS - 3_600_000,
    catalogVersion: 7,
    catalogAgeMs: 400,
    memoryBytes: 1 << 20,
    deliveries: [],
    heardAgoMs: 0,
    silent: false,
    ...changes,
  };
}

const share = {
  delivery: 'd',
  state: 'running',
  shards: [0, 1, 2, 5],
  records: 1_200,
  oldestArrivalMs: NOW_MS - 3_000,
} as const;
const silent = aProcess(2, { silent: true, heardAgoMs: 45_000, deliveries: [{ ...share, shards: [3] }] });
const status = (name: string, state: DeliveryStatus['state'] = 'running') =>
  ({ spec: { name }, state }) as unknown as DeliveryStatus;

test('every process has a line, a silent one with since when', () => {
  expect(processTable([aProcess(1, { roles: ['ingest', 'compact'] }), silent], NOW_MS)).toEqual([
    'process  address       roles              up   memory  catalog  heard',
    'web/1    http://web:1  ingest,compact  1.0 h  1.0 MiB        7  yes',
    'web/2    http://web:2  deliver         1.0 h  1.0 MiB        7  silent for 45.0 s',
  ]);
});

test('every worker has a line under its delivery', () => {
  const landedMs = NOW_MS - 60_000;
  const other = aProcess(9, {
    deliveries: [{ ...share, delivery: 'c', shards: [], records: 0, lastLandedMs: landedMs }],
  });
  expect(
    shareTable([aProcess(1, { deliveries: [share] }), silent, other], NOW_MS).map((line) => line.split(/ {2,}/)),
  ).toEqual([
    ['delivery', 'landed by', 'state', 'shards', 'waiting', 'oldest', 'last landed'],
    ['c', 'web/9', 'running', 'none', '0', '3.0 s', '2001-09-09T01:45:40Z'],
    ['d', 'web/1', 'running', '0-2,5', '1,200', '3.0 s', '-'],
    ['d', 'web/2', 'silent, was running', '3', '1,200', '3.0 s', '-'],
  ]);
  expect(shareTable([aProcess(1)], NOW_MS)).toEqual([]);
});

test('what no process can say of itself is said: silence, an old catalog, a delivery nobody lands', () => {
  const behind = aProcess(3, { catalogAgeMs: 60_000 });
  expect(fleetLines([aProcess(1), silent, behind], [status('d'), status('p', 'paused')])).toEqual([
    'web/2 is silent for 45.0 s: it died, hangs or cannot reach the lake',
    'web/3 has not read the catalog for 1 min 0 s: its log says why',
    'nobody lands d: no process with the role deliver is heard',
  ]);
  expect(fleetLines([aProcess(1, { deliveries: [share] })], [status('d')])).toEqual([]);
});

test('shards are told as ranges', () => {
  expect([rangesOf([]), rangesOf([3]), rangesOf([2, 1, 0, 9, 4, 5])]).toEqual(['none', '3', '0-2,4-5,9']);
});
