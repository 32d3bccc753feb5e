/** Processes that share a lake, and who of them lands what: for somebody who was woken up. Pure. */
import type { DeliveryStatus, KnownProcess } from '../app/control-answers.ts';
import { ageText, count, duration, size, table, time } from './wording.ts';

/** It is asked for every second. */
const CATALOG_AGE_MS_MAX = 15_000;

/** Names a process where one looks for it. */
function nameOf({ host, pid }: KnownProcess): string {
  return `${host}/${pid}`;
}

export function processTable(processes: readonly KnownProcess[], nowMs: number): string[] {
  const rows = processes.map((one) => [
    nameOf(one),
    one.url,
    one.roles.join(','),
    ageText(one.startedMs, nowMs),
    size(one.memoryBytes),
    count(one.catalogVersion),
    one.silent ? `silent for ${duration(one.heardAgoMs)}` : 'yes',
  ]);
  return table(['process', 'address', 'roles', 'up', 'memory', 'catalog', 'heard'], rows, ['up', 'memory', 'catalog']);
}

/** A line for every worker of every delivery; none where nobody lands anything. */
export function shareTable(processes: readonly KnownProcess[], nowMs: number): string[] {
  const rows = processes.flatMap((one) =>
    one.deliveries.map((share) => [
      share.delivery,
      nameOf(one),
      one.silent ? `silent, was ${share.state}` : share.state,
      rangesOf(share.shards),
      count(share.records),
      ageText(share.oldestArrivalMs, nowMs),
      time(share.lastLandedMs),
    ]),
  );
  if (rows.length === 0) return [];
  const sorted = rows.toSorted((a, b) => (`${a[0]} ${a[1]}` < `${b[0]} ${b[1]}` ? -1 : 1));
  const numbers = ['waiting', 'oldest'];
  return table(['delivery', 'landed by', 'state', 'shards', ...numbers, 'last landed'], sorted, numbers);
}

/** What no single process can complain about. */
export function fleetLines(processes: readonly KnownProcess[], deliveries: readonly DeliveryStatus[]): string[] {
  const heard = processes.filter(({ silent }) => !silent);
  const silent = processes.filter((one) => one.silent);
  return [
    ...silent.map(
      (one) => `${nameOf(one)} is silent for ${duration(one.heardAgoMs)}: it died, hangs or cannot reach the lake`,
    ),
    ...heard
      .filter(({ catalogAgeMs }) => catalogAgeMs > CATALOG_AGE_MS_MAX)
      .map((one) => `${nameOf(one)} has not read the catalog for ${duration(one.catalogAgeMs)}: its log says why`),
    ...deliveries
      .filter(({ spec, state }) => state !== 'paused' && !heard.some((one) => hasShare(one, spec.name)))
      .map(({ spec }) => `nobody lands ${spec.name}: no process with the role deliver is heard`),
  ];
}

function hasShare({ deliveries }: KnownProcess, name: string): boolean {
  return deliveries.some(({ delivery }) => delivery === name);
}

/** `0-3,7`. */
export function rangesOf(shards: readonly number[]): string {
  const sorted = shards.toSorted((a, b) => a - b);
  const ranges: { first: number; last: number }[] = [];
  for (const shard of sorted) {
    const open = ranges.at(-1);
    if (open?.last === shard - 1) open.last = shard;
    else ranges.push({ first: shard, last: shard });
  }
  const texts = ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  return texts.length === 0 ? 'none' : texts.join(',');
}
