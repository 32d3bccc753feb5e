/**
 * What a process and its descendants cost, from /proc (Linux): CPU seconds, also of children that ended, and memory counted once
 * where it is shared (PSS). Peaks are sampled.
 */
import { readFileSync, readdirSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** The process and all that descend from it. */
export function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

/** CPU seconds of one process, user and system, with those of its ended children. */
export function cpuOf(pid: number): number {
  const fields = read(`/proc/${pid}/stat`).split(') ')[1]?.split(' ');
  if (fields === undefined) return 0;
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at] ?? 0), 0) / TICKS_PER_SECOND;
}

/** CPU seconds of a process tree so far. */
export function treeCpu(pid: number): number {
  return treeOf(pid).reduce((sum, each) => sum + cpuOf(each), 0);
}

/** Memory of a process tree now, MiB. */
export function treeMemoryMib(pid: number): number {
  const kib = treeOf(pid).reduce(
    (sum, each) => sum + Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${each}/smaps_rollup`))?.[1] ?? 0),
    0,
  );
  return kib / 1024;
}

/** Samples the memory of a tree until stopped; gives the peak in MiB. */
export function memoryPeak(pid: number, everyMs = 200): { stop(): number } {
  let peak = 0;
  const sample = (): void => {
    peak = Math.max(peak, treeMemoryMib(pid));
  };
  const timer = setInterval(sample, everyMs);
  return {
    stop() {
      sample();
      clearInterval(timer);
      return Math.round(peak);
    },
  };
}
